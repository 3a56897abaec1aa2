#include "policy/os/signals.h"

#include <sys/signalfd.h>

#include <csignal>

#include "policy/os/system_error.h"

namespace sallyport::os {

Result<UniqueFd> stop_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  if (::sigprocmask(SIG_BLOCK, &signals, nullptr) != 0)
    return fail(system_error("signals", "sigprocmask"));
  UniqueFd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) return fail(system_error("signals", "signalfd"));
  return fd;
}

}  // namespace sallyport::os
