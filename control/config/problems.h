// The list of what is wrong with one file, bounded: a person needs the first fifty, a hostile file
// could cause millions. Everything is collected, nothing stops at the first mistake.
//
// Ownership: plain values. Thread: no sharing. Source: design.md §5 (file:line:column with what to
// write instead).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "policy/model/diagnostic.h"

namespace sallyport::control {

inline constexpr std::size_t kMaxProblems = 50;

class Problems {
 public:
  // `hint` is what to write instead. Beyond kMaxProblems only the number is kept.
  void add(model::Position at, std::string code, std::string message, std::string hint);
  bool empty() const { return list_.empty(); }
  // In the order of the file; the last one says how many were left out, if any.
  model::Diagnostics take();

 private:
  model::Diagnostics list_;
  std::size_t left_out_ = 0;
};

// "file:line:column: message; write instead: hint", the form that editors jump to.
std::string format_problem(std::string_view file, const model::Diagnostic& problem);
// One per line.
std::string format_problems(std::string_view file, const model::Diagnostics& problems);

// Text from the file, safe to print: control bytes and anything that is not ASCII become '?', and
// at most 60 bytes of it are kept.
std::string quote(std::string_view text);

// The word of `known` nearest to `word`, or empty when none is near enough to be meant.
std::string_view nearest(std::string_view word, const std::string_view* known, std::size_t count);

}  // namespace sallyport::control
