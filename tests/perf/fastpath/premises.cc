#include "tests/perf/fastpath/premises.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace sallyport::bench {
namespace {

constexpr const char* kPages = "/proc/sys/vm/nr_hugepages";
constexpr std::uint32_t kPageMb = 2;
constexpr std::array kEndings{SIGINT, SIGTERM, SIGHUP};

sigset_t endings_and_children() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kEndings) sigaddset(&set, number);
  sigaddset(&set, SIGCHLD);
  return set;
}

// Every descendant that lost its parent is ours; each was told to die with it.
void reap_all() {
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}

// What the child came to; an ending signal ends it first.
int watch(pid_t child, const sigset_t& signals) {
  for (;;) {
    const int number = ::sigwaitinfo(&signals, nullptr);
    if (number < 0) continue;
    if (number != SIGCHLD) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
      return 128 + number;
    }
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child)
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}

}  // namespace

Premises::Premises(std::uint32_t hugepages_mb) {
  std::string folder = "/dev/shm/sallyport-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr)
    throw std::runtime_error("cannot make a folder in /dev/shm");
  folder_ = folder;
  std::ifstream(kPages) >> pages_before_;
  if (pages_before_ * kPageMb < hugepages_mb) std::ofstream(kPages) << hugepages_mb / kPageMb;
}

Premises::~Premises() {
  std::ofstream(kPages) << pages_before_;
  std::error_code ignored;  // what could be removed is
  std::filesystem::remove_all(folder_, ignored);
}

int Premises::run(const std::function<int()>& work) const {
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  const sigset_t signals = endings_and_children();
  sigset_t before;
  ::sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    // The parent answers them, for all.
    for (const int number : kEndings) std::signal(number, SIG_IGN);
    ::_exit(work());
  }
  const int out = child < 0 ? 1 : watch(child, signals);
  reap_all();
  ::sigprocmask(SIG_SETMASK, &before, nullptr);
  return out;
}

}  // namespace sallyport::bench
