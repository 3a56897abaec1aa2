#include "policy/decide/names.h"

#include <array>

namespace sallyport::decide {
namespace {

constexpr std::size_t kMaxText = 253;

// A byte of a host name in lower case; nothing for bytes that no name in a snapshot has.
std::optional<char> folded(std::uint8_t byte) noexcept {
  if (byte >= 'A' && byte <= 'Z') return static_cast<char>(byte - 'A' + 'a');
  if ((byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_')
    return static_cast<char>(byte);
  return std::nullopt;
}

}  // namespace

std::optional<std::uint32_t> Names::destination_class(ConstBytes wire_name) const noexcept {
  std::array<char, kMaxText> text{};
  std::size_t used = 0;
  Cursor cursor(wire_name);
  while (true) {
    const auto length = cursor.u8();
    if (!length || *length > 63) return std::nullopt;  // RFC 1035 §2.3.4
    if (*length == 0) break;
    const auto label = cursor.take(*length);
    if (!label || used + *length + 1 > kMaxText) return std::nullopt;
    if (used != 0) text[used++] = '.';
    for (const std::uint8_t byte : *label) {
      const auto c = folded(byte);
      if (!c) return std::nullopt;
      text[used++] = *c;
    }
  }
  if (!cursor.empty()) return std::nullopt;
  return destination_class(std::string_view(text.data(), used));
}

std::optional<std::uint32_t> Names::destination_class(std::string_view name) const noexcept {
  if (names_ == nullptr || name.empty() || name.size() > kMaxText) return std::nullopt;
  std::array<char, kMaxText> lower{};
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    lower[i] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  const std::string_view wanted(lower.data(), name.size());
  flatbuffers::uoffset_t low = 0;
  flatbuffers::uoffset_t high = names_->size();
  while (low < high) {
    const flatbuffers::uoffset_t middle = low + (high - low) / 2;
    const int order = wire::text(names_->Get(middle)->name()).compare(wanted);
    if (order == 0) return names_->Get(middle)->destination_class();
    if (order < 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return std::nullopt;
}

}  // namespace sallyport::decide
