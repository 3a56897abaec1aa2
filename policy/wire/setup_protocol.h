// Records between sallyport-setup and its two clients, control and terminator: fixed size, no
// pointers, no variable part. A record of another size, magic or version, from another uid, or with
// an operation that its sender may not ask for is refused and the connection closed. Descriptors
// travel with replies by SCM_RIGHTS. All integers are host order (one machine).
//
// setup accepts from control: everything but kOpenSocket. From terminator: kOpenSocket and
// kOpenRing.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sallyport::wire {

inline constexpr std::uint32_t kSetupMagic = 0x53504C54;  // "SPLT"
inline constexpr std::uint16_t kSetupVersion = 1;

enum class SetupOp : std::uint16_t {
  kHello = 0,          // answered with errno 0; says the peer is accepted
  kSegmentCreate = 1,  // name, mac: namespace <prefix><name> with a persistent TAP "tap0",
                       // down-to-nothing sysctls; idempotent
  kSegmentDelete = 2,  // name
  kAddressAdd = 3,     // name, address, prefix_length: on tap0
  kAddressDelete = 4,
  kNeighbourSet = 5,        // name, address, mac: permanent neighbour on tap0
  kNeighbourDelete = 6,     // name, address
  kRouteDefaultSet = 7,     // name, address: default route via address on tap0
  kRouteDefaultDelete = 8,  // name, family in `address`
  kRouteLocalAdd = 9,       // unused by the first release
  kTapOpen = 10,   // name: a fresh queue descriptor of tap0 (IFF_TAP | IFF_NO_PI | IFF_VNET_HDR) in
                   // the reply
  kPortTake = 11,  // name: kernel interface moved into <prefix>ports, made mute (no address, IPv6
                   // off, ARP off), left down
  kPortUp = 12,    // name: link up; only after the dataplane said that deny is in force
  kPortDown = 13,
  kPortRelease = 14,  // name: moved back to the namespace setup was started in
  kOpenSocket = 15,   // name (segment), family, socket_type: an unbound non-blocking socket made
                      // inside that namespace
  kOpenRing = 16,     // the handover memfd (policy/wire/handover.h)
  kSegmentList =
      17,  // index in `value`: name of the index-th segment namespace, errno ENOENT past the end
  kMtuSet = 18,  // name, bytes of IP in `value`: of tap0
};

struct SetupRequest {
  std::uint32_t magic = kSetupMagic;
  std::uint16_t version = kSetupVersion;
  SetupOp op = SetupOp::kHello;
  std::array<char, 16>
      name{};  // NUL-terminated; [a-z0-9-] for segments, kernel interface name for ports
  std::array<std::uint8_t, 16> address{};  // IPv4 as IPv4-mapped
  std::array<std::uint8_t, 6> mac{};
  std::uint8_t prefix_length = 0;  // bits of the address's own version
  std::uint8_t family = 0;         // 4 or 6, kOpenSocket
  std::uint8_t socket_type = 0;    // 1 stream, 2 datagram, kOpenSocket
  std::array<std::uint8_t, 3> reserved{};
  std::uint32_t value = 0;
  std::array<std::uint8_t, 8> reserved2{};
};
static_assert(sizeof(SetupRequest) == 64 && std::is_trivially_copyable_v<SetupRequest>);

struct SetupReply {
  std::uint32_t magic = kSetupMagic;
  std::uint16_t version = kSetupVersion;
  SetupOp op = SetupOp::kHello;
  std::int32_t error = 0;  // errno, 0 = done
  std::uint32_t value = 0;
  std::array<char, 48> detail{};  // NUL-terminated: what failed, or a name
};
static_assert(sizeof(SetupReply) == 64 && std::is_trivially_copyable_v<SetupReply>);

}  // namespace sallyport::wire
