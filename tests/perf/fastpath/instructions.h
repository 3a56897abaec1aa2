// What a packet costs in instructions, stage by stage, held against what was written down: the
// guard against a fast path that grows unnoticed. Callgrind counts, so a busy machine changes
// nothing; another compiler does.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "policy/base/result.h"

namespace sallyport::bench {

// "case stage" -> instructions per packet.
using Instructions = std::map<std::string, double>;

// A JSON object of numbers. kInvalid "instructions-file" if it is none or cannot be read.
Result<Instructions> read_instructions(const std::string& path);
bool write_instructions(const std::string& path, const Instructions& counted);

// Grows beyond this share of its baseline are refused.
inline constexpr double kMayGrow = 0.05;
// A line for each figure that is missing on one side or has grown by more than kMayGrow; empty if
// all is well.
std::vector<std::string> grown(const Instructions& baseline, const Instructions& counted);
// A line for each case that costs each of two workers more than kMayGrow above what it costs a lone
// one (kTwoWorkers against kWhole of stages.h).
std::vector<std::string> dearer_for_two(const Instructions& counted);

}  // namespace sallyport::bench
