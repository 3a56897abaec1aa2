// Tries forbidden calls from behind a process's walls: each attempt runs in a child of its own that
// builds the walls first, so that a killed one says nothing about the next.
//
// Use in GoogleTest bodies; needs whatever the walls need (mostly root).
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "policy/base/result.h"

namespace sallyport::testing {

// Expected outcomes: 0 is success, an errno is that failure, kKilledByFilter is death by seccomp.
inline constexpr int kKilledByFilter = -1;

struct Attempt {
  std::string name;
  int expected = 0;
  std::function<int()> act;  // negative: failed, for errno's reason or none
};

// What came of it, in the terms above; -2 when the walls could not be built.
int outcome_of(const std::function<Result<void>()>& build_walls, const std::function<int()>& act);

// One EXPECT per attempt, named.
void expect_attempts(const std::function<Result<void>()>& build_walls,
                     const std::vector<Attempt>& attempts);

}  // namespace sallyport::testing
