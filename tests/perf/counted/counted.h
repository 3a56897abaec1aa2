// Instructions of a piece of work, counted by callgrind: exact, and the same on a busy machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::bench {

// Between the two, in a process that runs under callgrind, instructions are counted.
void begin_counting();
void end_counting();

// Runs this program again under callgrind with these arguments; how many instructions were counted.
// Nothing when valgrind is missing or fails.
std::optional<std::uint64_t> count_instructions(const std::vector<std::string>& arguments);

}  // namespace sallyport::bench
