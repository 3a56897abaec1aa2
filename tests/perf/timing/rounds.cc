#include "tests/perf/timing/rounds.h"

#include <cstdio>
#include <sstream>

namespace sallyport::bench {

std::vector<double> numbers_after(const std::string& printed, const std::string& label) {
  std::vector<double> out;
  std::istringstream lines(printed);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(label)) continue;
    std::istringstream numbers(line.substr(label.size()));
    for (double number = 0; numbers >> number;) out.push_back(number);
    break;
  }
  return out;
}

int failed_round(const Error& error) {
  std::fprintf(stderr, "%s: %s\n", error.code.c_str(), error.context.c_str());
  return 1;
}

std::vector<Figure> missing_figures(std::span<const char* const> names, const char* unit,
                                    const Error& why) {
  std::vector<Figure> out;
  for (const char* name : names) {
    out.push_back(Figure::of(name, unit, {0}, 0, false));
    out.back().met = false;
    out.back().note = "not measured: " + why.context;
  }
  return out;
}

}  // namespace sallyport::bench
