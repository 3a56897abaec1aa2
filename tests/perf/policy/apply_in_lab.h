// Runs apply_in_lab.py: a whole gateway in namespaces, configurations applied to it by `sallyctl`.
//
// Needs root. Failures: `problem` says why there is no figure.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace sallyport::bench {

struct Applied {
  std::vector<double> check_ms, apply_ms, commit_ms, longest_answer_ms;  // by round
  std::string problem;
};

Applied apply_in_lab(const std::string& plant, std::size_t rounds);

}  // namespace sallyport::bench
