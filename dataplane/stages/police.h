// How much of one sender's traffic the host stack is bothered with. One allowance per (device,
// class); hosts without a slot share allowances by a hash of their MAC, so that a flood by one
// leaves the others theirs. design §4 "Punting is policed".
//
// Each allowance is one time stamp (generic cell rate algorithm): the moment at which the sender
// would be even again. Thread: the worker; no allocation after construction.
#pragma once

#include <array>
#include <cstdint>

#include "dataplane/cache_line.h"
#include "dataplane/dpdk/packet.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

enum class PuntClass : std::uint8_t {
  kNeighbour,
  kDhcp,
  kNewFlow,
  kReset,
  kRouter,
  kIcmpError,
  kReport
};

class Police {
 public:
  Police() : even_(kPlaces * kClasses) {}

  bool pass(PuntClass kind, const PacketMeta& meta, Instant now) noexcept {
    const Limit& limit = kLimits[static_cast<std::size_t>(kind)];
    Instant& even = even_[place(meta) * kClasses + static_cast<std::size_t>(kind)];
    if (even > now + limit.spacing * (limit.burst - 1)) return false;
    even = std::max(even, now) + limit.spacing;
    return true;
  }

 private:
  struct Limit {
    Duration spacing;
    std::int64_t burst;
  };
  static constexpr std::size_t kClasses = 7;
  static constexpr std::size_t kDevicePlaces = 65536;
  static constexpr std::size_t kOtherPlaces = 4096;
  static constexpr std::size_t kPlaces = kDevicePlaces + kOtherPlaces;
  // A device asks for its router about once a minute and for an address once an hour; a restart of
  // either side costs a handful. New flows: more than any field device opens. Errors: a path's MTU
  // is found in a few. Reports: RFC 4443 §2.4 (f); a traceroute waits for each of three answers.
  static constexpr std::array<Limit, kClasses> kLimits = {{
      {std::chrono::milliseconds(50), 40},
      {std::chrono::milliseconds(200), 10},
      {std::chrono::milliseconds(5), 200},
      {std::chrono::milliseconds(100), 10},
      {std::chrono::milliseconds(200), 10},
      {std::chrono::milliseconds(50), 20},
      {std::chrono::milliseconds(50), 20},
  }};

  static std::size_t place(const PacketMeta& meta) noexcept {
    if (meta.device != kNoDevice) return meta.device % kDevicePlaces;
    std::uint64_t h = meta.segment;
    for (std::uint8_t byte : meta.headers.source_mac.bytes()) h = (h ^ byte) * 0x100000001b3U;
    return kDevicePlaces + (h >> 16) % kOtherPlaces;
  }
  LineVector<Instant> even_;
};

}  // namespace sallyport::dataplane
