#include "policy/model/names.h"

#include <algorithm>

namespace sallyport::model {
namespace {

constexpr bool lower(char c) { return c >= 'a' && c <= 'z'; }
constexpr bool digit(char c) { return c >= '0' && c <= '9'; }

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > 63) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return lower(c) || digit(c) || c == '-' || c == '_'; });
}

}  // namespace

bool is_name(std::string_view text, std::size_t max) noexcept {
  if (text.empty() || text.size() > max || !lower(text.front())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return lower(c) || digit(c) || c == '-'; });
}

bool is_host_name(std::string_view text) noexcept {
  if (text.empty() || text.size() > 253) return false;
  std::string_view label;
  while (true) {
    const std::size_t dot = text.find('.');
    label = text.substr(0, dot);
    if (!is_label(label)) return false;
    if (dot == std::string_view::npos) break;
    text.remove_prefix(dot + 1);
  }
  return !std::all_of(label.begin(), label.end(), digit);
}

bool is_plain_text(std::string_view text, std::size_t max) noexcept {
  if (text.empty() || text.size() > max || text.front() == ' ' || text.back() == ' ') return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

}  // namespace sallyport::model
