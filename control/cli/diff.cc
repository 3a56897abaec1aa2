#include "control/cli/diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace sallyport::control {
namespace {

constexpr std::size_t kContext = 3;
using Lines = std::vector<std::string_view>;

Lines split(std::string_view text) {
  Lines out;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out.push_back(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
  }
  return out;
}

struct Edit {
  char mark;  // ' ', '-', '+'
  std::string_view line;
};

// Longest common subsequence by the textbook's table, over the part where the texts differ.
void middle(const Lines& a, const Lines& b, std::vector<Edit>& out) {
  if (a.size() > kMaxDiffLines || b.size() > kMaxDiffLines) {
    for (const auto line : a) out.push_back({'-', line});
    for (const auto line : b) out.push_back({'+', line});
    return;
  }
  const std::size_t stride = b.size() + 1;
  std::vector<std::uint16_t> length((a.size() + 1) * stride, 0);
  for (std::size_t i = a.size(); i-- > 0;)
    for (std::size_t j = b.size(); j-- > 0;)
      length[i * stride + j] =
          a[i] == b[j] ? static_cast<std::uint16_t>(length[(i + 1) * stride + j + 1] + 1)
                       : std::max(length[(i + 1) * stride + j], length[i * stride + j + 1]);
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < a.size() || j < b.size()) {
    if (i < a.size() && j < b.size() && a[i] == b[j]) {
      out.push_back({' ', a[i]});
      ++i, ++j;
    } else if (j == b.size() ||
               (i < a.size() && length[(i + 1) * stride + j] >= length[i * stride + j + 1])) {
      out.push_back({'-', a[i++]});
    } else {
      out.push_back({'+', b[j++]});
    }
  }
}

std::vector<Edit> edits(const Lines& a, const Lines& b) {
  std::size_t head = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  std::size_t tail = 0;
  while (tail < a.size() - head && tail < b.size() - head &&
         a[a.size() - 1 - tail] == b[b.size() - 1 - tail])
    ++tail;
  std::vector<Edit> out;
  for (std::size_t i = 0; i < head; ++i) out.push_back({' ', a[i]});
  const auto cut = [&](const Lines& lines) {
    return Lines(lines.begin() + static_cast<std::ptrdiff_t>(head),
                 lines.end() - static_cast<std::ptrdiff_t>(tail));
  };
  middle(cut(a), cut(b), out);
  for (std::size_t i = a.size() - tail; i < a.size(); ++i) out.push_back({' ', a[i]});
  return out;
}

}  // namespace

std::string unified_diff(std::string_view before, std::string_view after,
                         const std::string& before_name, const std::string& after_name) {
  if (before == after) return {};
  const auto all = edits(split(before), split(after));
  std::string out = fmt::format("--- {}\n+++ {}\n", before_name, after_name);
  std::size_t line_a = 1;
  std::size_t line_b = 1;
  for (std::size_t at = 0; at < all.size();) {
    // The next hunk: from kContext before a change to kContext after the last one near it.
    std::size_t change = at;
    while (change < all.size() && all[change].mark == ' ') ++change;
    if (change == all.size()) break;
    const std::size_t first = change - std::min(kContext, change - at);
    std::size_t last = change;
    for (std::size_t i = change, quiet = 0; i < all.size() && quiet <= 2 * kContext; ++i) {
      quiet = all[i].mark == ' ' ? quiet + 1 : 0;
      if (all[i].mark != ' ') last = i;
    }
    const std::size_t end = std::min(all.size(), last + 1 + kContext);
    line_a += first - at;
    line_b += first - at;
    std::size_t count_a = 0;
    std::size_t count_b = 0;
    std::string body;
    for (std::size_t i = first; i < end; ++i) {
      count_a += all[i].mark != '+';
      count_b += all[i].mark != '-';
      body += fmt::format("{}{}\n", all[i].mark, all[i].line);
    }
    out += fmt::format("@@ -{},{} +{},{} @@\n{}", line_a, count_a, line_b, count_b, body);
    line_a += count_a;
    line_b += count_b;
    at = end;
  }
  if (out.find("@@") == out.npos) out += "(they differ only in the end of the last line)\n";
  return out;
}

}  // namespace sallyport::control
