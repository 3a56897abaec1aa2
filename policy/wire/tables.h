// Constants and hash functions of the snapshot's in-place tables. The compiler that fills them, the
// verifier that checks that every entry can be found, and the classifier that looks entries up use
// these and no others.
//
// Pure and constexpr. Hashes are fixed by the schema: changing one changes the snapshot's meaning
// without changing its text, so it needs a new line in snapshot.fbs (which changes the schema
// hash).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "policy/base/net.h"

namespace sallyport::wire {

inline constexpr std::uint16_t kNowhere = 0xffff;          // Interval.segment: martian
inline constexpr std::uint16_t kVirtual = 0xfffe;          // Interval.segment: a virtual address
inline constexpr std::uint32_t kNoDevice = 0xffffffff;     // no enrolled device
inline constexpr std::uint32_t kGatewayHost = 0xfffffffe;  // Interval.device: the gateway itself
inline constexpr std::uint32_t kNoConduit = 0xffffffff;    // Rule.conduit of a built-in
inline constexpr std::uint32_t kNoRule = 0xffffffff;

// What a flow is to Rule.silence_s, as an index: with both sides' agreement (an echo and a UDP flow
// always), ending, not yet agreed.
enum class Silence : std::uint8_t { kOpen, kTransitory, kHalfOpen };
inline constexpr std::size_t kSilences = 3;

// Ports of the terminator's listeners (leg A), unreachable by number from any wire.
inline constexpr std::uint16_t kFirstListenerPort = 40000;
inline constexpr std::uint16_t kLastListenerPort = 49151;
// Ports that stand for inside endpoints on an uplink with NAPT44 (dataplane/flow/port_mappings.h).
// Below the host stack's own (net.ipv4.ip_local_port_range from 32768), above the well-known.
inline constexpr std::uint16_t kFirstNatPort = 10240;
inline constexpr std::uint16_t kLastNatPort = 32767;
inline constexpr std::size_t kMaxNatUplinks = 2;
constexpr bool is_nat_port(std::uint16_t port) noexcept {
  return port >= kFirstNatPort && port <= kLastNatPort;
}

// Bounds of one snapshot. Compiling above them fails as "too complex", verifying as
// "snapshot-bad-meaning".
inline constexpr std::size_t kMaxPorts = 256;
inline constexpr std::size_t kMaxSegments = 256;
inline constexpr std::size_t kMaxMembers = 4096;
inline constexpr std::size_t kMaxDevices = 65536;
inline constexpr std::size_t kMaxDeviceAddresses = 262144;
inline constexpr std::size_t kMaxAddressesPerDevice = 64;
inline constexpr std::size_t kMaxAddressesPerSegment = 64;
inline constexpr std::size_t kMaxConduits = 65536;
inline constexpr std::size_t kMaxRules = 262144;
inline constexpr std::uint32_t kMaxInflight = 65535;  // handshakes of a conduit
inline constexpr std::size_t kMaxNames = 8192;
inline constexpr std::size_t kMaxIntervals = 1U << 20;
inline constexpr std::size_t kMaxClasses = 1U << 24;
inline constexpr std::size_t kMaxPairs = 1U << 22;  // occupied
inline constexpr std::size_t kMaxRanges = 1U << 22;
// One doubling more would not fit into kMaxSnapshotSize.
inline constexpr std::size_t kMaxTableSlots = 1U << 23;

// No lookup in a snapshot's hash table takes more steps than this; the verifier checks it for every
// entry, so a lookup is bounded whatever the snapshot says.
inline constexpr std::size_t kMaxProbe = 128;

// A finalizer with full avalanche (the constants are those of splitmix64's output function).
constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

constexpr std::uint64_t mac_hash(const std::array<std::uint8_t, 6>& mac) noexcept {
  return mix64((std::byteswap(MacAddress(mac).word()) >> 16) + 0x9e3779b97f4a7c15U);
}

// Never 0 for classes that take part in rules: those start at 1.
constexpr std::uint64_t pair_key(std::uint32_t source_class, std::uint32_t destination_class,
                                 std::uint8_t protocol) noexcept {
  return static_cast<std::uint64_t>(source_class) << 40 |
         static_cast<std::uint64_t>(destination_class) << 16 | protocol;
}
constexpr std::uint64_t pair_hash(std::uint64_t key) noexcept {
  return mix64(key + 0x9e3779b97f4a7c15U);
}

}  // namespace sallyport::wire
