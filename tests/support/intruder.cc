#include "tests/support/intruder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>

namespace sallyport::testing {
namespace {

constexpr int kNoWalls = 254;
constexpr int kFailedWithoutErrno = 253;

[[noreturn]] void try_behind(const std::function<Result<void>()>& build_walls,
                             const std::function<int()>& act) {
  if (auto built = build_walls(); !built) {
    std::fprintf(stderr, "%s: %s\n", built.error().code.c_str(), built.error().context.c_str());
    ::_exit(kNoWalls);
  }
  errno = 0;
  const bool failed = act() < 0;
  ::_exit(failed ? (errno != 0 ? errno : kFailedWithoutErrno) : 0);
}

}  // namespace

int outcome_of(const std::function<Result<void>()>& build_walls, const std::function<int()>& act) {
  const pid_t child = ::fork();
  if (child == 0) try_behind(build_walls, act);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? kKilledByFilter : -2;
  return WEXITSTATUS(status) == kNoWalls ? -2 : WEXITSTATUS(status);
}

void expect_attempts(const std::function<Result<void>()>& build_walls,
                     const std::vector<Attempt>& attempts) {
  for (const Attempt& attempt : attempts)
    EXPECT_EQ(outcome_of(build_walls, attempt.act), attempt.expected) << attempt.name;
}

}  // namespace sallyport::testing
