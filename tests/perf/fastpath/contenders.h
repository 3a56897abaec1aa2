// Who plays a capture: Sallyport in a child of this program, and the peers that a user would pick
// instead. Each round is one process; nothing survives it.
//
// Failures: an error with what the program printed. Needs root and hugepages.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "policy/base/result.h"
#include "tests/perf/fastpath/subject.h"

namespace sallyport::bench {

// What a case gives to whoever plays it.
struct Match {
  const TrafficCase& traffic;
  const BuiltPlant& plant;
  std::string folder;   // for files of a round
  std::string capture;  // a file
  std::uint32_t memory_mb = 0;
  double seconds = 1;
};

struct Contender {
  const char* name;
  // Why it cannot play this case; empty if it can.
  std::string (*obstacle)(const TrafficCase&);
  // Packets/s that came through.
  Result<double> (*play)(const Match&);
};
// In the order in which they are told.
std::span<const Contender> contenders();

// This program again, with `arguments` that make it call run_subject().
Result<Round> play_sallyport(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace sallyport::bench
