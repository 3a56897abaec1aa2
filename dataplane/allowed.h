// Allowed: a packet together with the permission to leave the gateway, and where to. Only
// EnforcePolicy makes one, and everything that puts a frame on a wire or into a host stack takes
// nothing else. The permission cannot be copied, kept, or put on another packet: it owns the
// packet. 2.4.7.1, design §3.1.
//
// Packets that the gateway makes itself (neighbour questions and answers, resets) carry a named
// built-in rule instead of a conduit's; those too are counted and explained.
#pragma once

#include <cstdint>
#include <expected>
#include <string_view>

#include "dataplane/dpdk/packet.h"

namespace sallyport::dataplane {

// Rules that no operator writes. Their numbers lie above every rule slot of a snapshot.
#define SALLYPORT_BUILTIN_RULES(X)                                                                 \
  X(kNeighbourQuestion, "builtin:neighbour-question", "the gateway asks for a next hop's MAC")     \
  X(kNeighbourProxy, "builtin:neighbour-proxy",                                                    \
    "the gateway answers for the far end of a conduit")                                            \
  X(kNeighbourHost, "builtin:neighbour-host", "neighbour messages of the gateway's own addresses") \
  X(kNeighbourTap, "builtin:neighbour-tap", "answers to the host stack's own questions")           \
  X(kDhcp, "builtin:dhcp", "address service of the segment")                                       \
  X(kRouterQuestion, "builtin:router-question", "router solicitation to the host stack")           \
  X(kMulticastReport, "builtin:multicast-report", "listener report to the host stack")             \
  X(kRestartReset, "builtin:restart-reset", "reset for a flow that a restart forgot")              \
  X(kIcmpRelated, "builtin:icmp-related", "ICMP error that quotes an allowed flow")                \
  X(kReport, "builtin:report", "ICMP error to the sender of an allowed packet that cannot go on")

enum class Builtin : std::uint8_t {
#define SALLYPORT_BUILTIN_ENUM(id, name, help) id,
  SALLYPORT_BUILTIN_RULES(SALLYPORT_BUILTIN_ENUM)
#undef SALLYPORT_BUILTIN_ENUM
};
inline constexpr auto kBuiltinNames = std::to_array<std::string_view>({
#define SALLYPORT_BUILTIN_NAME(id, name, help) name,
    SALLYPORT_BUILTIN_RULES(SALLYPORT_BUILTIN_NAME)
#undef SALLYPORT_BUILTIN_NAME
});
inline constexpr RuleSlot kFirstBuiltinRule = 0xff000000;
constexpr RuleSlot builtin_slot(Builtin rule) {
  return kFirstBuiltinRule + static_cast<RuleSlot>(rule);
}

// Where an allowed packet goes.
struct Exit {
  enum class Kind : std::uint8_t { kPort, kHostStack } kind = Kind::kPort;
  PortSlot port = kNoPort;           // kPort
  SegmentSlot segment = kNoSegment;  // the segment that it leaves into, or whose stack gets it
};

// A packet for which `Author` has vouched; nobody else can make one. Costs one pointer.
template <class Author>
class Checked {
 public:
  Checked(Checked&&) noexcept = default;
  Checked& operator=(Checked&&) noexcept = default;
  const Headers& headers() const noexcept { return packet_.meta().headers; }
  const PacketMeta& meta() const noexcept { return packet_.meta(); }
  ConstBytes bytes() const noexcept { return packet_.bytes(); }
  // An observer's note; nothing that was checked.
  void number(std::uint64_t capture_number) noexcept {
    packet_.meta().capture_number = capture_number;
  }
  Packet release() && noexcept { return std::move(packet_); }

 private:
  friend Author;
  explicit Checked(Packet&& packet) noexcept : packet_(std::move(packet)) {}
  Packet packet_;
};
using ParsedPacket = Checked<class Parse>;  // its Headers are true
using BoundPacket = Checked<class Bind>;    // and its sender is who it says

// A packet that ends here, and why. Every stage that can refuse returns this instead of its result.
struct Dropped {
  Packet packet;
  Drop reason;
};
template <class T>
using Outcome = std::expected<T, Dropped>;
inline std::unexpected<Dropped> dropped(Packet&& packet, Drop reason) noexcept {
  return std::unexpected<Dropped>(Dropped{std::move(packet), reason});
}

class Allowed {
 public:
  Allowed(Allowed&&) noexcept = default;
  Allowed& operator=(Allowed&&) noexcept = default;
  RuleSlot rule() const noexcept { return rule_; }
  const Exit& exit() const noexcept { return exit_; }
  ConstBytes bytes() const noexcept { return packet_.bytes(); }
  const PacketMeta& meta() const noexcept { return packet_.meta(); }

 private:
  friend class EnforcePolicy;  // the only author
  friend class TxPort;         // takes the packet out to hand it to the driver
  friend class HostStackPort;  // likewise to the TAP
  friend class Exits;          // names the reason when neither would have it
  Allowed(Packet&& packet, RuleSlot rule, const Exit& exit) noexcept
      : packet_(std::move(packet)), rule_(rule), exit_(exit) {}
  Packet packet_;
  RuleSlot rule_;
  Exit exit_;
};

static_assert(!std::is_copy_constructible_v<Allowed> && !std::is_copy_assignable_v<Allowed>);
static_assert(!std::is_default_constructible_v<Allowed>);
static_assert(!std::is_constructible_v<Allowed, Packet&&>);
static_assert(!std::is_constructible_v<Allowed, Packet&&, RuleSlot, const Exit&>);
static_assert(!std::is_constructible_v<BoundPacket, Packet&&>);
static_assert(!std::is_constructible_v<BoundPacket, ParsedPacket&&>);
static_assert(!std::is_convertible_v<Packet, Allowed> &&
              !std::is_convertible_v<BoundPacket, Allowed>);

}  // namespace sallyport::dataplane
