#include "control/cli/interrupt.h"

#include <csignal>
#include <ctime>

namespace sallyport::control {
namespace {

volatile sig_atomic_t seen = 0;

void on_signal(int /*number*/) { seen = 1; }

}  // namespace

void heed_interrupts() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

bool interrupted() { return seen != 0; }

bool pause(std::chrono::nanoseconds time) {
  // A signal between the look and the wait must not be slept through: it is let in by the wait.
  sigset_t caught, before;
  sigemptyset(&caught);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&caught, number);
  sigprocmask(SIG_BLOCK, &caught, &before);
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(time);
  const timespec left{whole.count(), (time - whole).count()};
  if (seen == 0) pselect(0, nullptr, nullptr, nullptr, &left, &before);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  return seen == 0;
}

}  // namespace sallyport::control
