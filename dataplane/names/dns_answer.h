// Reads a DNS answer on its way to the one who asked, so that addresses of a conduit's name can be
// let in before the asker uses them (docs/design/0001-borders.md; RFC 9726 asks the enforcer to
// resolve where the device resolves).
//
// Input: the UDP payload of a packet from a reviewed resolver: untrusted. Bounds: one question,
// kMaxDnsRecords answer records looked at, kMaxDnsAddresses addresses kept, kMaxCnameDepth aliases
// followed; compression pointers must point backwards, so a name cannot loop. Anything else,
// truncation and error codes included, is no answer. No allocation, no exceptions; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "policy/base/bytes.h"
#include "policy/base/net.h"

namespace sallyport::dataplane {

inline constexpr std::size_t kMaxDnsName = 255;
inline constexpr unsigned kMaxDnsRecords = 64;
inline constexpr unsigned kMaxDnsAddresses = 16;
inline constexpr unsigned kMaxCnameDepth = 8;

// A name as text: labels joined by dots, lower case, no trailing dot. Labels with bytes that host
// names never have (RFC 952, RFC 1123, and '_') make the whole name unusable.
class DnsName {
 public:
  std::string_view text() const { return {text_.data(), size_}; }
  friend bool operator==(const DnsName& a, const DnsName& b) { return a.text() == b.text(); }
  // False when the result would be too long or the label has a byte outside [a-zA-Z0-9_-].
  bool append_label(ConstBytes label) noexcept;

 private:
  std::array<char, kMaxDnsName> text_{};
  std::size_t size_ = 0;
};

struct DnsAddress {
  IpAddress address;
  std::uint32_t ttl_s = 0;  // the smallest along the alias chain
};

// What a well-formed query or response asks: one A or AAAA record set of class IN.
struct DnsAsked {
  std::uint16_t id = 0;
  std::uint16_t type = 0;
  DnsName name;
};

class DnsAnswer {
 public:
  const DnsAsked& asked() const { return asked_; }
  const DnsName& question() const { return asked_.name; }
  std::span<const DnsAddress> addresses() const { return std::span(addresses_).first(count_); }

 private:
  friend std::optional<DnsAnswer> parse_dns_answer(ConstBytes message) noexcept;
  DnsAsked asked_;
  std::array<DnsAddress, kMaxDnsAddresses> addresses_{};
  std::size_t count_ = 0;
};

// Nothing when `message` is no plain query with one A or AAAA question (RFC 1035 §4.1).
std::optional<DnsAsked> parse_dns_question(ConstBytes message) noexcept;

// Nothing when `message` is not a well-formed, complete, successful response with one A or AAAA
// question (RFC 1035 §4.1).
std::optional<DnsAnswer> parse_dns_answer(ConstBytes message) noexcept;

}  // namespace sallyport::dataplane
