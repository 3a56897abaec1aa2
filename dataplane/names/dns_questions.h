// DNS questions that a host stack of the gateway's has under way. An answer teaches names only if
// it answers one of them: same flow, same id, same name, same type, and only once. An answer that
// somebody made up must then guess what the asking resolver checks as well (RFC 5452 §9.1).
//
// Bounded: a full bucket gives up its oldest. One owner thread; no allocation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "policy/base/net.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

struct DnsQuestion {
  IpAddress asker;
  IpAddress server;
  std::uint16_t asker_port = 0;
  std::uint16_t id = 0;
  std::uint16_t type = 0;  // A or AAAA
  std::uint64_t name = 0;  // name_hash()
  friend bool operator==(const DnsQuestion&, const DnsQuestion&) = default;
};

class DnsQuestions {
 public:
  static constexpr std::size_t kBuckets = 256;
  static constexpr std::size_t kWays = 4;
  // Longer than any resolver waits for one server.
  static constexpr Duration kLife = std::chrono::seconds(15);

  void asked(const DnsQuestion& question, Instant now) noexcept;
  // True once for each question that was asked within kLife.
  bool take(const DnsQuestion& answered, Instant now) noexcept;

 private:
  struct Entry {
    DnsQuestion question;
    Instant expires;  // in the past: free
  };
  std::array<Entry, kWays>& bucket(const DnsQuestion& question) noexcept;
  std::array<std::array<Entry, kWays>, kBuckets> buckets_{};
};

}  // namespace sallyport::dataplane
