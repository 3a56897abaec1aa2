#include "control/config/problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <tuple>

namespace sallyport::control {
namespace {

constexpr std::size_t kMaxQuoted = 60;
constexpr std::size_t kMaxWord = 40;

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

void Problems::add(model::Position at, std::string code, std::string message, std::string hint) {
  if (list_.size() >= kMaxProblems) {
    ++left_out_;
    return;
  }
  list_.push_back({at, std::move(code), std::move(message), std::move(hint)});
}

model::Diagnostics Problems::take() {
  // The order in which two of one place were found is kept.
  std::vector<std::size_t> order(list_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const model::Position x = list_[a].at;
    const model::Position y = list_[b].at;
    return std::tuple(x.line, x.column, a) < std::tuple(y.line, y.column, b);
  });
  model::Diagnostics out;
  for (const std::size_t i : order) out.push_back(std::move(list_[i]));
  if (left_out_ != 0)
    out.push_back({{},
                   "more-errors",
                   fmt::format("{} more errors are not shown", left_out_),
                   "the file again after mending these"});
  list_.clear();
  return out;
}

std::string format_problem(std::string_view file, const model::Diagnostic& problem) {
  std::string out = problem.at.line == 0 ? fmt::format("{}: {}", file, problem.message)
                                         : fmt::format("{}:{}:{}: {}", file, problem.at.line,
                                                       problem.at.column, problem.message);
  if (!problem.hint.empty()) out += fmt::format("; write instead: {}", problem.hint);
  return out;
}

std::string format_problems(std::string_view file, const model::Diagnostics& problems) {
  std::string out;
  for (const model::Diagnostic& problem : problems) out += format_problem(file, problem) + "\n";
  return out;
}

std::string quote(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMaxQuoted)) out += c >= ' ' && c <= '~' ? c : '?';
  if (text.size() > kMaxQuoted) out += "...";
  return out;
}

std::string_view nearest(std::string_view word, const std::string_view* known, std::size_t count) {
  if (word.size() > kMaxWord) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 1) + 1;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t distance = edit_distance(word, known[i]);
    if (distance < best_distance) {
      best_distance = distance;
      best = known[i];
    }
  }
  return best;
}

}  // namespace sallyport::control
