#include "tests/support/policy/random_gateway.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>

#include "tests/support/policy/sample_gateway.h"

namespace sallyport::testing {
namespace {

constexpr std::array<std::uint16_t, 10> kPorts = {1,   53,   80,   123,   443,
                                                  502, 1883, 8883, 39999, 65535};
const std::array<const char*, 3> kNames = {"broker.example", "time.example", "a.b.example"};
const std::array<const char*, 6> kOutside4 = {"203.0.113.9", "203.0.113.10", "8.8.8.8",
                                              "192.0.2.77",  "100.64.0.1",   "10.99.0.1"};
const std::array<const char*, 4> kOutside6 = {"2606:4700::1", "2001:db8::77", "2001:db8:1::1",
                                              "fdaa::1"};

model::Segment uplink(Choices& choices) {
  model::Segment out;
  out.name = "uplink";
  out.members = {{"wan", 0}};
  out.role = model::Role::kUplink;
  const std::size_t versions = choices.below(4);  // mostly both
  if (versions != 1) {
    out.addresses.push_back(own("192.0.2.2", 24));
    if (!choices.one_in(8)) out.gateways.push_back(ip("192.0.2.1"));
  }
  if (versions != 2) {
    out.addresses.push_back(own("2001:db8::2", 64));
    if (!choices.one_in(8)) out.gateways.push_back(ip("2001:db8::1"));
  }
  out.services = static_cast<std::uint16_t>(choices.below(16));
  if (out.addresses.empty()) out.services = 0;
  out.at = {10, 3};
  return out;
}

model::Segment inside(Choices& choices, std::size_t n) {
  model::Segment out;
  out.name = "s" + std::to_string(n);
  out.members = {{"lan" + std::to_string(n), 0}, {"lan" + std::to_string(n), 7}};
  const std::string number = std::to_string(20 + n);
  const std::size_t versions = choices.below(5);
  if (versions != 1)
    out.addresses.push_back(own("10." + number + ".0.1", choices.one_in(2) ? 29U : 24U));
  if (versions != 2) out.addresses.push_back(own("fd00:" + number + "::1", 64));
  if (choices.one_in(6) && versions != 1) out.addresses.push_back(own("10." + number + ".1.1", 30));
  if (choices.one_in(6) && versions != 2)
    out.addresses.push_back(own("fd00:" + number + "::2", 64));
  out.services = static_cast<std::uint16_t>(choices.below(16));
  out.at = {static_cast<std::uint32_t>(11 + n), 3};
  return out;
}

void enrol(Choices& choices, model::Gateway& gateway, const model::Segment& where, std::size_t n) {
  model::Device out;
  out.name = "d" + std::to_string(gateway.devices.size());
  out.segment = where.name;
  out.where = choices.pick(where.members);
  out.mac = MacAddress({0x02, 0, 0, 0, static_cast<std::uint8_t>(gateway.devices.size()),
                        static_cast<std::uint8_t>(n)});
  std::set<IpAddress> taken;
  for (const model::Device& d : gateway.devices)
    taken.insert(d.addresses.begin(), d.addresses.end());
  for (const model::InterfaceAddress& i : where.addresses) {
    if (choices.one_in(6)) continue;
    auto bytes = i.address.bytes();
    bytes[15] = static_cast<std::uint8_t>(3 + choices.below(5));
    const IpAddress a = IpAddress::v6(bytes);
    const bool broadcast = a.is_v4() && (a == i.subnet.last() || a == i.subnet.first());
    if (!i.subnet.contains(a) || broadcast || !taken.insert(a).second) continue;
    out.addresses.push_back(a);
    // Sometimes its neighbour as well.
    ++bytes[15];
    const IpAddress b = IpAddress::v6(bytes);
    if (choices.one_in(4) && i.subnet.contains(b) && b != i.subnet.last() && taken.insert(b).second)
      out.addresses.push_back(b);
  }
  out.at = {static_cast<std::uint32_t>(20 + gateway.devices.size()), 3};
  gateway.devices.push_back(std::move(out));
}

IpAddress some_address(Choices& choices, const model::Gateway& gateway) {
  if (!gateway.devices.empty() && choices.one_in(4)) {
    const auto& device = choices.pick(gateway.devices);
    if (!device.addresses.empty()) return choices.pick(device.addresses);
  }
  if (choices.one_in(12)) return choices.pick(choices.pick(gateway.segments).addresses).address;
  return choices.one_in(2) ? ip(choices.pick(kOutside4)) : ip(choices.pick(kOutside6));
}

model::End some_end(Choices& choices, const model::Gateway& gateway, bool destination) {
  switch (choices.below(destination ? 6 : 4)) {
    case 0: {
      const model::Segment& s = choices.pick(gateway.segments);
      model::SegmentEnd out{s.name, {}};
      if (choices.one_in(2)) {
        const model::InterfaceAddress& i = choices.pick(s.addresses);
        const unsigned longest = i.address.is_v4() ? 32 : 128;
        const auto length =
            static_cast<unsigned>(longest - choices.below(std::min<std::size_t>(longest, 9)));
        out.prefixes.push_back(*IpPrefix::make(i.address, length));
        if (s.role == model::Role::kUplink && choices.one_in(2))
          out.prefixes.push_back(prefix(choices.one_in(2) ? "203.0.113.0/24" : "0.0.0.0/0"));
      }
      return out;
    }
    case 1:
      return model::DeviceEnd{std::string(model::kGatewayName)};
    case 4:
      return model::NameEnd{choices.pick(kNames)};
    case 5: {
      model::AddressEnd out{{some_address(choices, gateway)}};
      if (choices.one_in(3)) out.addresses.push_back(some_address(choices, gateway));
      return out;
    }
    default:
      if (gateway.devices.empty()) return model::SegmentEnd{"uplink", {}};
      return model::DeviceEnd{choices.pick(gateway.devices).name};
  }
}

model::ServiceSpec some_service(Choices& choices) {
  if (choices.one_in(6)) return echo();
  const std::uint16_t a = choices.pick(kPorts);
  const std::uint16_t b = choices.one_in(3) ? choices.pick(kPorts) : a;
  const auto [first, last] = std::minmax(a, b);
  return choices.one_in(3) ? udp(first, last) : tcp(first, last);
}

void terminate(Choices& choices, const model::Gateway& gateway, model::Conduit& conduit) {
  conduit.service.ports.last = conduit.service.ports.first;
  if (choices.one_in(4) && conduit.service.protocol == IpProtocol::kTcp) {
    conduit.inspect.modbus = model::ModbusInspect{{3}, {}};
    return;
  }
  if (choices.one_in(2)) {
    conduit.terminate = inbound(choices.pick(kPorts));
    if (choices.one_in(3)) {
      conduit.terminate->listen_gateway = false;
      conduit.terminate->listen_address = some_address(choices, gateway);
    }
    return;
  }
  conduit.terminate = outbound(choices.pick(kNames), choices.pick(kPorts));
  if (choices.one_in(3)) conduit.terminate->server_address = some_address(choices, gateway);
}

}  // namespace

model::Gateway random_gateway(Choices& choices) {
  model::Gateway out;
  out.ports = {{"wan", "net_null0", {2, 3}}};
  out.segments.push_back(uplink(choices));
  const std::size_t segments = 1 + choices.below(3);
  for (std::size_t n = 0; n < segments; ++n) {
    out.ports.push_back({"lan" + std::to_string(n), "net_null1", {3, 3}});
    out.segments.push_back(inside(choices, n));
  }
  for (std::size_t n = 0; n < segments; ++n)
    for (std::size_t d = choices.below(5); d > 0; --d) enrol(choices, out, out.segments[1 + n], n);
  for (std::size_t c = 1 + choices.below(14); c > 0; --c) {
    model::Conduit& conduit =
        add_conduit(out, "c" + std::to_string(out.conduits.size()), some_end(choices, out, false),
                    some_end(choices, out, true), some_service(choices));
    if (conduit.service.protocol != IpProtocol::kIcmp && choices.one_in(3))
      terminate(choices, out, conduit);
    if (choices.one_in(4))
      for (std::size_t i = 0; i < kTimeoutClasses; ++i)
        if (applies(kTimeouts[i], conduit.service.protocol) && choices.one_in(2))
          conduit.timeouts.seconds[i] = kTimeouts[i].least_s;
    if (choices.one_in(10)) conduit.review.reset();
  }
  return out;
}

std::vector<IpAddress> interesting_addresses(const model::Gateway& gateway,
                                             const std::vector<IpAddress>& also) {
  std::set<IpAddress> points(also.begin(), also.end());
  for (const char* text : kOutside4) points.insert(ip(text));
  for (const char* text : kOutside6) points.insert(ip(text));
  for (const char* text : {"0.0.0.0",
                           "0.255.255.255",
                           "1.0.0.0",
                           "127.0.0.1",
                           "169.254.0.1",
                           "169.254.255.255",
                           "198.18.0.0",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.20.0.0",
                           "223.255.255.255",
                           "224.0.0.0",
                           "240.0.0.0",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "1fff::1",
                           "2000::",
                           "3fff::1",
                           "4000::",
                           "64:ff9b::1",
                           "fbff::1",
                           "fc00::",
                           "fdff::1",
                           "fe80::1",
                           "ff02::1",
                           "fd53:414c:4c59::",
                           "fd53:414c:4c59::1",
                           "fd53:414c:4c59:1::"})
    points.insert(ip(text));
  for (const model::Segment& s : gateway.segments) {
    for (const model::InterfaceAddress& i : s.addresses) {
      points.insert(i.address);
      points.insert(i.subnet.first());
      points.insert(i.subnet.last());
    }
    points.insert(s.gateways.begin(), s.gateways.end());
  }
  for (const model::Device& d : gateway.devices)
    points.insert(d.addresses.begin(), d.addresses.end());
  std::set<IpAddress> out = points;
  for (const IpAddress& a : points) {
    for (const int step : {-1, 1}) {
      auto bytes = a.bytes();
      int carry = step;
      for (std::size_t i = 16; i-- > 0 && carry != 0;) {
        const int value = bytes[i] + carry;
        bytes[i] = static_cast<std::uint8_t>(value);
        carry = value < 0 ? -1 : value > 255 ? 1 : 0;
      }
      out.insert(IpAddress::v6(bytes));
    }
  }
  return {out.begin(), out.end()};
}

std::vector<std::uint16_t> interesting_ports() {
  std::set<std::uint16_t> out = {0, 8, 128, 13, 40000, 49151, 49152};
  for (const std::uint16_t p : kPorts) {
    out.insert(p);
    out.insert(static_cast<std::uint16_t>(p - 1));
    out.insert(static_cast<std::uint16_t>(p + 1));
  }
  return {out.begin(), out.end()};
}

}  // namespace sallyport::testing
