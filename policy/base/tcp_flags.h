// TCP's control bits (RFC 9293 §3.1) and the two things that are decided by them alone: the parser
// and `explain` read them here, so that they cannot disagree. Pure; no failures.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sallyport {

enum TcpFlag : std::uint8_t {
  kTcpFin = 0x01,
  kTcpSyn = 0x02,
  kTcpRst = 0x04,
  kTcpPsh = 0x08,
  kTcpAck = 0x10,
  kTcpUrg = 0x20,
  kTcpEce = 0x40,
  kTcpCwr = 0x80,
};

// Exactly one of "opens", "runs" and "resets" can be meant; anything else is nobody's stack.
constexpr bool tcp_flags_possible(std::uint8_t flags) noexcept {
  const bool syn = (flags & kTcpSyn) != 0, fin = (flags & kTcpFin) != 0;
  const bool rst = (flags & kTcpRst) != 0, ack = (flags & kTcpAck) != 0;
  if (syn) return !fin && !rst && (flags & (kTcpPsh | kTcpUrg)) == 0;
  if (rst) return !fin && (flags & kTcpUrg) == 0;
  return ack;
}
// Asks for a new connection.
constexpr bool tcp_flags_open(std::uint8_t flags) noexcept {
  return (flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn;
}

inline constexpr std::string_view kTcpFlagLetters = "FSRPAUEC";  // lowest bit first

// "SA"; "." for none.
inline std::string tcp_flags_text(std::uint8_t flags) {
  std::string out;
  for (std::size_t i = 0; i < kTcpFlagLetters.size(); ++i)
    if ((flags >> i & 1U) != 0) out += kTcpFlagLetters[i];
  return out.empty() ? "." : out;
}
// The reverse, letters in any order; nothing if there is another character.
constexpr std::optional<std::uint8_t> parse_tcp_flags(std::string_view text) noexcept {
  std::uint8_t flags = 0;
  if (text == ".") return flags;
  for (const char letter : text) {
    const std::size_t bit = kTcpFlagLetters.find(letter);
    if (bit == std::string_view::npos) return std::nullopt;
    flags = static_cast<std::uint8_t>(flags | 1U << bit);
  }
  return text.empty() ? std::nullopt : std::optional(flags);
}

}  // namespace sallyport
