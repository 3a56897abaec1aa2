// Who plays a capture: Sallyport in a child of this program, and the peers that a user would pick
// instead. Each round is one process; nothing survives it.
//
// Failures: an error with what the program printed. Needs root and hugepages.
#pragma once

#include <string>
#include <vector>

#include "policy/base/result.h"
#include "tests/perf/fastpath/subject.h"

namespace sallyport::bench {

struct Capture {
  std::string path;
  std::size_t packets = 0;
  std::uint32_t memory_mb = 0;  // for whoever plays it
};

// This program again, with `arguments` that make it call run_subject().
Result<Round> play_sallyport(const std::string& program, const std::vector<std::string>& arguments);
// dpdk-testpmd in io mode on the same two devices: what reading and writing alone costs.
Result<double> play_testpmd(const Capture& capture, double seconds);

}  // namespace sallyport::bench
