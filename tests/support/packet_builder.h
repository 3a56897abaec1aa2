// Well-formed frames for tests, one call per layer; sums and lengths are filled in by bytes().
// Unlike the product's own writers it knows every flag and can be told to lie afterwards: take the
// bytes and change them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/base/bytes.h"
#include "policy/base/net.h"

namespace sallyport::testing {

struct Party {
  MacAddress mac;
  IpAddress address;
  std::uint16_t port = 0;
};

class PacketBuilder {
 public:
  PacketBuilder(const Party& from, const Party& to) : from_(from), to_(to) {}
  PacketBuilder& vlan(std::uint16_t id) {
    vlan_ = id;
    return *this;
  }
  PacketBuilder& ttl(std::uint8_t value) {
    ttl_ = value;
    return *this;
  }
  PacketBuilder& payload(std::vector<std::uint8_t> bytes) {
    payload_ = std::move(bytes);
    return *this;
  }
  // IPv4 without "do not fragment", with this identifier.
  PacketBuilder& may_be_cut(std::uint16_t id) {
    cut_as_ = id;
    return *this;
  }
  // TCP's, padded with zeros to a multiple of four; 40 bytes at most.
  PacketBuilder& options(std::vector<std::uint8_t> bytes) {
    options_ = std::move(bytes);
    options_.resize((options_.size() + 3) / 4 * 4);
    return *this;
  }
  // Unless given, TCP is as if both sides began with kFirstSequence and sent nothing since.
  static constexpr std::uint32_t kFirstSequence = 1000;
  PacketBuilder& sequence(std::uint32_t seq) {
    seq_ = seq;
    return *this;
  }
  PacketBuilder& acknowledgement(std::uint32_t ack) {
    ack_ = ack;
    return *this;
  }
  PacketBuilder& sequence(std::uint32_t seq, std::uint32_t ack) {
    return sequence(seq).acknowledgement(ack);
  }

  std::vector<std::uint8_t> tcp(std::uint8_t flags) const;
  std::vector<std::uint8_t> udp() const;
  // The identifier is the asker's port: from.port of a request, to.port of a reply.
  std::vector<std::uint8_t> echo(bool request) const;
  // The port-unreachable error (RFC 792 type 3, RFC 4443 type 1) that quotes `packet`'s IP bytes.
  std::vector<std::uint8_t> unreachable(const std::vector<std::uint8_t>& packet) const;
  // Time exceeded in transit; fragmentation needed or packet too big for `mtu` (RFC 792, 1191,
  // 4443). They quote `packet`'s IP bytes, in 576 and 1280 bytes.
  std::vector<std::uint8_t> time_exceeded(const std::vector<std::uint8_t>& packet) const;
  std::vector<std::uint8_t> too_big(const std::vector<std::uint8_t>& packet,
                                    std::uint16_t mtu) const;
  // Any ICMP message of the addresses' version: type, code, and what follows the sum.
  std::vector<std::uint8_t> icmp(std::uint8_t type, std::uint8_t code,
                                 std::vector<std::uint8_t> body) const;
  // ARP or neighbour discovery by the version of the addresses: who has `to.address`?
  std::vector<std::uint8_t> neighbour_question() const;
  // from.address is at from.mac. `solicited` is the IPv6 flag; RFC 4861 §4.4.
  std::vector<std::uint8_t> neighbour_answer(bool solicited = true) const;
  // May somebody have `wanted`? From the unspecified address (RFC 5227 §2.1.1, RFC 4862 §5.4.2).
  std::vector<std::uint8_t> address_probe() const;
  // To every router (RFC 4861 §4.1), with the sender's MAC if it has an address.
  std::vector<std::uint8_t> router_solicitation() const;
  // RFC 3810 §5.2 (type 143) to ff02::16 with its router alert, `options` instead of the usual.
  std::vector<std::uint8_t> multicast_report(std::uint8_t type = 143,
                                             std::vector<std::uint8_t> options = {}) const;

 private:
  std::vector<std::uint8_t> ip(IpProtocol protocol, std::vector<std::uint8_t> segment,
                               std::size_t sum_at) const;
  std::vector<std::uint8_t> ethernet(const MacAddress& to, std::uint16_t type,
                                     const std::vector<std::uint8_t>& body) const;
  Party from_;
  Party to_;
  std::uint16_t vlan_ = 0;
  std::uint8_t ttl_ = 64;
  std::optional<std::uint16_t> cut_as_;
  std::vector<std::uint8_t> options_;
  std::optional<std::uint32_t> seq_;
  std::uint32_t ack_ = kFirstSequence + 1;
  std::vector<std::uint8_t> payload_;
};

// Writes the IPv4 header's sum anew after a field was changed; nothing to do for other frames.
void reseal(std::vector<std::uint8_t>& frame);

// A scapy expression that makes this frame, for failure messages.
std::string as_scapy(ConstBytes frame);

}  // namespace sallyport::testing
