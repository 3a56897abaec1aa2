// The configuration as values: what gateway.yaml says, checked and named, before it is compiled
// into tables. control/config builds it from text; policy/compile turns it into a snapshot;
// policy/prove computes the permitted set from it a second time. Pure values: no I/O, no clock,
// immutable once built.
//
// Every element remembers where it was written (`at`), so that an error, `explain` and `prove` can
// name file, line and column.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "policy/base/mtu.h"
#include "policy/base/net.h"
#include "policy/base/timeouts.h"

namespace sallyport::model {

// 1-based; line 0 means "nowhere in the file" (a default or a built-in).
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  friend bool operator==(const Position&, const Position&) = default;
};

// Names of ports, segments, devices and conduits: [a-z][a-z0-9-]*, ports and segments at most 12
// bytes (they become interface and namespace names), devices and conduits at most 63.
inline constexpr std::size_t kMaxShortName = 12;
inline constexpr std::size_t kMaxLongName = 63;
// The device name that stands for the gateway itself.
inline constexpr std::string_view kGatewayName = "gateway";

struct Port {
  std::string name;
  std::string device;  // PCI address or DPDK vdev arguments: "net_af_packet0,iface=eth1"
  Position at;
};

enum class Role : std::uint8_t { kDevices = 0, kUplink = 1, kManagement = 2 };

// A port of a segment; `vlan` 0 is untagged.
struct Member {
  std::string port;
  std::uint16_t vlan = 0;
  friend bool operator==(const Member&, const Member&) = default;
};

// The gateway's own address on a segment with the subnet around it.
struct InterfaceAddress {
  IpAddress address;
  IpPrefix subnet;
  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

// Services that the gateway itself offers to a segment's devices (bits of Segment::services).
enum Service : std::uint16_t { kDhcp = 1, kDns = 2, kNtp = 4, kPing = 8 };

struct Segment {
  std::string name;
  std::vector<Member> members;
  Role role = Role::kDevices;
  std::vector<InterfaceAddress> addresses;
  std::vector<IpAddress> gateways;  // next hops, uplink only; at most one per IP version
  std::uint16_t services = 0;       // Service bits
  std::optional<MacAddress>
      mac;  // the gateway's MAC on this segment; derived from the unit's id if absent
  bool isolated =
      false;            // the operator's word that the switch behind each port isolates its devices
  bool napt44 = false;  // uplink only: inside addresses leave as the gateway's first IPv4 address
  std::uint16_t mtu = kMostMtu;  // IP bytes of the longest packet that every host here takes
  Position at;
};

struct Device {
  std::string name;
  std::string segment;
  Member where;
  MacAddress mac;
  std::vector<IpAddress> addresses;
  bool slaac_follow = false;
  Position at;
};

// One side of a conduit.
struct DeviceEnd {
  std::string device;
};  // a device, or "gateway"
struct SegmentEnd {
  std::string segment;
  std::vector<IpPrefix> prefixes;
};  // addresses of a segment; empty = all of it
struct AddressEnd {
  std::vector<IpAddress> addresses;
};  // literal destinations, wherever they are
struct NameEnd {
  std::string name;
};  // a DNS name that the device itself asks for
using End = std::variant<DeviceEnd, SegmentEnd, AddressEnd, NameEnd>;

// Transport of a conduit. For ICMP echo `ports` is empty and both echo requests (type 8 / 128) are
// meant.
struct ServiceSpec {
  std::string text;  // as written: "modbus", "tcp/502", "icmp-echo"
  IpProtocol protocol = IpProtocol::kTcp;
  PortRange ports;         // destination ports; {8,8} for ICMP echo (128 in IPv6)
  bool plaintext = false;  // a known plaintext protocol (2.4.7.13, .14)
};

enum class ClientAuth : std::uint8_t { kNone = 0, kOptional = 1, kRequired = 2 };
enum class Side : std::uint8_t { kInbound = 0, kOutbound = 1 };

struct Terminate {
  Side side = Side::kInbound;
  // inbound: where clients dial. `listen_gateway` means the gateway's addresses on the client's
  // segment, else listen_address.
  bool listen_gateway = true;
  std::optional<IpAddress> listen_address;
  std::uint16_t listen_port = 0;  // inbound
  ClientAuth client_auth = ClientAuth::kNone;
  std::string client_ca;  // names in the credential store
  std::string
      certificate;  // inbound: server certificate; outbound: client certificate, may be empty
  // outbound: what the gateway dials and verifies.
  std::string server_name;  // SNI and certificate name; resolved in the uplink's namespace if
                            // server_address is empty
  std::optional<IpAddress> server_address;
  std::uint16_t server_port = 0;
  std::string server_ca;
  friend bool operator==(const Terminate&, const Terminate&) = default;
};

// Each list empty = nothing said about it.
struct ModbusInspect {
  std::vector<std::uint8_t> functions;
  std::vector<std::uint8_t> units;
  friend bool operator==(const ModbusInspect&, const ModbusInspect&) = default;
};
struct Inspect {
  std::optional<ModbusInspect> modbus;
  friend bool operator==(const Inspect&, const Inspect&) = default;
};

// inflight 0 and rates 0 mean the built-in default.
struct AdmissionSpec {
  std::uint32_t inflight = 0;
  std::uint32_t rate_per_s = 0;
  std::uint32_t per_device_per_s = 0;
  friend bool operator==(const AdmissionSpec&, const AdmissionSpec&) = default;
};

// In seconds, by TimeoutClass; 0 means the protocol's usual time.
struct Timeouts {
  std::array<std::uint32_t, kTimeoutClasses> seconds{};

  std::uint32_t of(TimeoutClass which) const { return seconds[static_cast<std::size_t>(which)]; }
  bool none() const { return *this == Timeouts{}; }
  friend bool operator==(const Timeouts&, const Timeouts&) = default;
};

// By a reviewer's name; base64 of an ECDSA signature. What it is over: policy/review.
struct Signature {
  std::string by;
  std::string signature;
};

// Dates are days since 1970-01-01.
struct Review {
  std::string by;
  std::int32_t on_day = 0;
  std::int32_t expires_day = 0;  // 0 = never
  std::string reason;
  std::string signed_text{};  // what the signatures are over: policy/review/parts.h
  std::vector<Signature> signatures{};
  // False: its signatures do not hold, or there are too few. Set by review::settle().
  bool stands = true;
};

struct Reviewer {
  std::string name;
  std::string key;  // PEM, public
};
enum class OnExpiry : std::uint8_t { kAlert = 0, kDeny = 1 };

// `control.review`: who reviews, and what an ended review means.
struct ReviewRules {
  unsigned required_signatures = 0;
  std::vector<Reviewer> reviewers;
  OnExpiry on_expiry = OnExpiry::kAlert;
  bool clock_trusted = false;  // the operator's word
  std::vector<Signature> signatures;
  Position at;
};

struct Conduit {
  std::string name;
  End from;
  End to;
  ServiceSpec service;
  std::optional<Terminate> terminate;
  Inspect inspect;
  AdmissionSpec admission;
  Timeouts timeouts;
  std::optional<Review> review;  // without one the conduit is compiled to nothing and reported
  bool plaintext_accepted = false;
  Position at;
};

struct Gateway {
  std::vector<Port> ports;
  std::vector<Segment> segments;
  std::vector<Device> devices;
  std::vector<Conduit> conduits;
  std::vector<IpPrefix> virtual_ranges;  // default 198.18.0.0/15 and fd53:414c:4c59::/64
  ReviewRules review_rules;
};

}  // namespace sallyport::model
