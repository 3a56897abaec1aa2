// Every reason for which a packet ends inside the gateway: one line each, the only place that names
// them. Enum, counters, CLI text, metrics labels and docs/reference/drop-reasons.md are made from
// this table. Order is the counter index; append, never reorder within a release (counters are
// exported by name, recorded by index).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sallyport {

#define SALLYPORT_DROP_REASONS(X)                                                               \
  /* policy */                                                                                  \
  X(kDefaultDeny, "default-deny", "no reviewed conduit permits this flow")                      \
  X(kNoSnapshot, "no-snapshot", "no policy is in force yet; everything is denied")              \
  X(kUnknownDevice, "unknown-device", "port, VLAN and MAC belong to no enrolled device")        \
  X(kStolenIdentity, "stolen-identity", "an enrolled device's MAC or address on another port")  \
  X(kSpoofedSource, "spoofed-source", "source address is not one of the device's own")          \
  X(kReversePath, "reverse-path", "uplink packet with a source that belongs inside")            \
  X(kSegmentMismatch, "segment-mismatch", "VLAN does not belong to a segment on this port")     \
  X(kNotEnforceable, "not-for-gateway", "destination MAC is another host's")                    \
  X(kHostStackDenied, "host-stack-denied",                                                      \
    "the gateway's own stack sent what no built-in rule names")                                 \
  X(kListenerPort, "listener-port", "a terminator port was addressed by its own number")        \
  X(kMidStream, "mid-stream", "TCP packet of no known flow that is not a SYN")                  \
  X(kRevoked, "revoked", "the rule that allowed this flow is gone or means something else")     \
  X(kNoBroadcast, "no-broadcast", "broadcast or multicast is not forwarded")                    \
  X(kHairpin, "hairpin", "would leave by the identity it came from")                            \
  /* ethernet and VLAN */                                                                       \
  X(kRunt, "runt", "frame shorter than its headers")                                            \
  X(kGiant, "giant", "frame longer than the port's MTU")                                        \
  X(kBadSourceMac, "bad-source-mac", "group, zero or gateway's own MAC as source")              \
  X(kVlanInvalid, "vlan-invalid", "VLAN id 0 or 4095, or a tag where none is expected")         \
  X(kQinQ, "qinq", "more than one VLAN tag")                                                    \
  X(kEtherType, "ethertype", "neither IPv4, IPv6 nor ARP")                                      \
  X(kLlcFrame, "llc-frame", "802.3 length field instead of an EtherType")                       \
  /* ARP and neighbour discovery */                                                             \
  X(kArpMalformed, "arp-malformed", "ARP fields inconsistent (RFC 826, RFC 5227)")              \
  X(kArpSpoofed, "arp-spoofed", "ARP sender fields are not the bound device's")                 \
  X(kArpUnanswered, "arp-unanswered", "ARP for an address that this sender may not reach")      \
  X(kArpUnsolicited, "arp-unsolicited", "ARP answer to no question of ours")                    \
  X(kNdMalformed, "nd-malformed", "neighbour discovery message fails RFC 4861 §7.1 checks")     \
  X(kNdSpoofed, "nd-spoofed", "neighbour discovery sender fields are not the bound device's")   \
  X(kNdUnanswered, "nd-unanswered", "neighbour solicitation for an unreachable address")        \
  X(kNdUnsolicited, "nd-unsolicited", "neighbour advertisement to no question of ours")         \
  X(kRogueRouter, "rogue-router", "router advertisement or redirect from a device")             \
  /* IPv4 and IPv6 */                                                                           \
  X(kIpVersion, "ip-version", "version field does not match the EtherType")                     \
  X(kBadHeaderLength, "bad-header-length", "IHL < 5, or header past the end")                   \
  X(kBadTotalLength, "bad-total-length",                                                        \
    "total or payload length past the frame or below the header")                               \
  X(kBadIpChecksum, "bad-ip-checksum", "IPv4 header sum is wrong")                              \
  X(kIpOptions, "ip-options", "IPv4 options")                                                   \
  X(kExtensionHeader, "extension-header", "IPv6 extension header that is not carried")          \
  X(kFragment, "fragment", "fragment of what is never sent in fragments")                       \
  X(kTtlExpired, "ttl-expired", "TTL or hop limit used up")                                     \
  X(kMartianSource, "martian-source", "source can never be a unicast host (RFC 6890)")          \
  X(kMartianDestination, "martian-destination", "destination can never be reached (RFC 6890)")  \
  X(kLand, "land", "source equals destination")                                                 \
  X(kLinkLocalForward, "link-local-forward", "link-local addresses are not forwarded")          \
  X(kIpProtocol, "ip-protocol", "transport protocol that is not carried")                       \
  /* transport */                                                                               \
  X(kTruncatedTransport, "truncated-transport", "TCP, UDP or ICMP header past the end")         \
  X(kBadTransportLength, "bad-transport-length", "TCP data offset or UDP length is wrong")      \
  X(kBadTransportChecksum, "bad-transport-checksum",                                            \
    "TCP, UDP or ICMP sum is wrong (host stack only)")                                          \
  X(kTcpFlags, "tcp-flags", "flag set that no TCP sends")                                       \
  X(kPortZero, "port-zero", "source or destination port 0")                                     \
  X(kBadTcpState, "bad-tcp-state", "TCP segment that its flow's state does not allow")          \
  X(kBadTcpWindow, "bad-tcp-window", "TCP sequence outside the window (RFC 9293, RFC 5961)")    \
  X(kIcmpType, "icmp-type", "ICMP message type that is not carried")                            \
  X(kIcmpUnrelated, "icmp-unrelated", "ICMP error that quotes no flow of ours")                 \
  /* bounds */                                                                                  \
  X(kFlowTableFull, "flow-table-full", "no place for a new flow")                               \
  X(kFlowDeviceLimit, "flow-device-limit", "device has its share of a full flow table")         \
  X(kHostStackBusy, "host-stack-busy", "ring to the host stack is full")                        \
  X(kWorkerBusy, "worker-busy", "worker that owns its flow or its way out did not take it")     \
  X(kHostStackPoliced, "host-stack-policed", "device's share of punted packets is used up")     \
  X(kNeighbourPending, "neighbour-pending", "next hop's MAC is not known yet")                  \
  X(kNeighbourTableFull, "neighbour-table-full", "no place to ask for another next hop")        \
  X(kAdmissionFull, "admission-full", "conduit's handshakes in flight are at their bound")      \
  X(kTxQueueFull, "tx-queue-full", "port did not take the packet")                              \
  X(kPortDown, "port-down", "destination port is not there")                                    \
  X(kNoBuffer, "no-buffer", "packet pool exhausted")                                            \
  X(kTooBig, "too-big", "larger than the next port's MTU")                                      \
  X(kDhcpSpoofed, "dhcp-spoofed", "DHCP message that does not speak for its sender")            \
  X(kNatPortsExhausted, "nat-ports-exhausted", "no port of the uplink's address is left")       \
  X(kNatDeviceLimit, "nat-device-limit", "the device's share of the uplink's ports is used up") \
  X(kFragmentMalformed, "fragment-malformed",                                                   \
    "fragment that is empty, tiny, of no whole eight bytes, or of too large a datagram")        \
  X(kFragmentOverlap, "fragment-overlap",                                                       \
    "fragments of a datagram that overlap, repeat or are too many (RFC 5722)")                  \
  X(kFragmentTimeout, "fragment-timeout", "the rest of the datagram did not come in time")      \
  X(kFragmentTableFull, "fragment-table-full",                                                  \
    "segment's room for datagrams in reassembly is used up")                                    \
  X(kFragmentDeviceLimit, "fragment-device-limit",                                              \
    "its sender holds a quarter of the segment's room for datagrams in reassembly")

enum class Drop : std::uint8_t {
#define SALLYPORT_DROP_ENUM(id, name, help) id,
  SALLYPORT_DROP_REASONS(SALLYPORT_DROP_ENUM)
#undef SALLYPORT_DROP_ENUM
};

struct DropInfo {
  std::string_view name;
  std::string_view help;
};

inline constexpr auto kDropInfo = std::to_array<DropInfo>({
#define SALLYPORT_DROP_INFO(id, name, help) DropInfo{name, help},
    SALLYPORT_DROP_REASONS(SALLYPORT_DROP_INFO)
#undef SALLYPORT_DROP_INFO
});
inline constexpr std::size_t kDropCount = kDropInfo.size();
static_assert(kDropCount < 256);

constexpr std::string_view to_string(Drop drop) {
  return kDropInfo[static_cast<std::size_t>(drop)].name;
}

}  // namespace sallyport
