// Rounds that are processes of their own and say in one line of numbers what they measured.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "policy/base/result.h"
#include "tests/perf/report/report.h"

namespace sallyport::bench {

// The numbers on `printed`'s line that begins with `label`; none if there is no such line.
std::vector<double> numbers_after(const std::string& printed, const std::string& label);

// What a round's process returns that has no line to print; it says why.
int failed_round(const Error& error);

// One for each name, missed, with the reason: a round that failed takes its case with it.
std::vector<Figure> missing_figures(std::span<const char* const> names, const char* unit,
                                    const Error& why);

// Every round's, or what the first one printed that `read` cannot read.
template <class Round>
Result<std::vector<Round>> read_rounds(const std::vector<std::string>& printed,
                                       bool (*read)(const std::string&, Round&)) {
  std::vector<Round> out(printed.size());
  for (std::size_t i = 0; i < printed.size(); ++i)
    if (!read(printed[i], out[i])) return fail(ErrorKind::kSystem, "no-figure", printed[i]);
  if (out.empty()) return fail(ErrorKind::kSystem, "no-figure", "no round was played");
  return out;
}

}  // namespace sallyport::bench
