#include "tests/support/policy/sample_gateway.h"

#include <cstdio>
#include <cstdlib>

#include "policy/base/check.h"

namespace sallyport::testing {
namespace {

model::ServiceSpec ported(IpProtocol protocol, std::uint16_t first, std::uint16_t last) {
  return {.text = std::string(to_string(protocol)) + "/" + std::to_string(first),
          .protocol = protocol,
          .ports = {first, last == 0 ? first : last},
          .plaintext = false};
}

}  // namespace

IpAddress ip(std::string_view text) {
  const auto out = IpAddress::parse(text);
  SALLYPORT_CHECK(out.has_value());
  return *out;
}
IpPrefix prefix(std::string_view text) {
  const auto out = IpPrefix::parse(text);
  SALLYPORT_CHECK(out.has_value());
  return *out;
}
MacAddress mac(std::string_view text) {
  const auto out = MacAddress::parse(text);
  SALLYPORT_CHECK(out.has_value());
  return *out;
}
model::InterfaceAddress own(std::string_view address, unsigned length) {
  const auto subnet = IpPrefix::make(ip(address), length);
  SALLYPORT_CHECK(subnet.has_value());
  return {ip(address), *subnet};
}

model::ServiceSpec tcp(std::uint16_t first, std::uint16_t last) {
  return ported(IpProtocol::kTcp, first, last);
}
model::ServiceSpec udp(std::uint16_t first, std::uint16_t last) {
  return ported(IpProtocol::kUdp, first, last);
}
model::ServiceSpec echo() {
  return {.text = "icmp-echo", .protocol = IpProtocol::kIcmp, .ports = {8, 8}, .plaintext = false};
}

model::End device(std::string name) { return model::DeviceEnd{std::move(name)}; }
model::End segment(std::string name, std::initializer_list<std::string_view> prefixes) {
  model::SegmentEnd out{std::move(name), {}};
  for (const std::string_view p : prefixes) out.prefixes.push_back(prefix(p));
  return out;
}
model::End addresses(std::initializer_list<std::string_view> list) {
  model::AddressEnd out;
  for (const std::string_view a : list) out.addresses.push_back(ip(a));
  return out;
}
model::End name(std::string dns) { return model::NameEnd{std::move(dns)}; }

model::Review reviewed() {
  return {.by = "plant-security", .on_day = 20000, .expires_day = 20365, .reason = "needed"};
}

model::Conduit& add_conduit(model::Gateway& gateway, std::string name, model::End from,
                            model::End to, model::ServiceSpec service) {
  const auto line = static_cast<std::uint32_t>(100 + gateway.conduits.size());
  gateway.conduits.push_back({.name = std::move(name),
                              .from = std::move(from),
                              .to = std::move(to),
                              .service = std::move(service),
                              .terminate = {},
                              .inspect = {},
                              .admission = {},
                              .timeouts = {},
                              .review = reviewed(),
                              .plaintext_accepted = false,
                              .at = {line, 3}});
  return gateway.conduits.back();
}

model::Terminate inbound(std::uint16_t listen_port) {
  model::Terminate out;
  out.side = model::Side::kInbound;
  out.listen_port = listen_port;
  out.client_auth = model::ClientAuth::kRequired;
  out.client_ca = "plant-ca";
  out.certificate = "gw";
  return out;
}
model::Terminate outbound(std::string server_name, std::uint16_t server_port) {
  model::Terminate out;
  out.side = model::Side::kOutbound;
  out.server_name = std::move(server_name);
  out.server_port = server_port;
  out.server_ca = "cloud-ca";
  out.certificate = "gw-client";
  return out;
}

model::Gateway bare_gateway() {
  model::Gateway out;
  out.ports = {{"wan", "0000:01:00.0", {2, 3}},
               {"lan1", "net_af_packet0,iface=eth1", {3, 3}},
               {"lan2", "net_af_packet1,iface=eth2", {4, 3}},
               {"lan3", "net_af_packet2,iface=eth3", {5, 3}}};
  model::Segment uplink;
  uplink.name = "uplink";
  uplink.members = {{"wan", 0}};
  uplink.role = model::Role::kUplink;
  uplink.addresses = {own("192.0.2.2", 24), own("2001:db8::2", 64)};
  uplink.gateways = {ip("192.0.2.1"), ip("2001:db8::1")};
  uplink.at = {10, 3};
  model::Segment field;
  field.name = "field";
  field.members = {{"lan1", 0}, {"lan2", 0}};
  field.addresses = {own("10.20.0.1", 24), own("fd00:20::1", 64)};
  field.services = model::kDhcp | model::kDns | model::kNtp;
  field.at = {11, 3};
  model::Segment office;
  office.name = "office";
  office.members = {{"lan3", 7}};
  office.addresses = {own("10.30.0.1", 24), own("fd00:30::1", 64)};
  office.services = model::kPing;
  office.at = {12, 3};
  out.segments = {uplink, field, office};
  const auto enrol = [&](const char* device_name, const char* where, model::Member port,
                         const char* address, const char* v4, const char* v6) {
    const auto line = static_cast<std::uint32_t>(20 + out.devices.size());
    out.devices.push_back({.name = device_name,
                           .segment = where,
                           .where = std::move(port),
                           .mac = mac(address),
                           .addresses = {ip(v4), ip(v6)},
                           .slaac_follow = false,
                           .at = {line, 3}});
  };
  enrol("press4", "field", {"lan1", 0}, "02:00:00:00:20:05", "10.20.0.5", "fd00:20::5");
  enrol("meter", "field", {"lan2", 0}, "02:00:00:00:20:06", "10.20.0.6", "fd00:20::6");
  enrol("camera", "field", {"lan2", 0}, "02:00:00:00:20:07", "10.20.0.7", "fd00:20::7");
  enrol("scada", "office", {"lan3", 7}, "02:00:00:00:30:05", "10.30.0.5", "fd00:30::5");
  return out;
}

model::Gateway sample_gateway() {
  model::Gateway out = bare_gateway();
  model::Conduit& polls =
      add_conduit(out, "scada-reads-press4", segment("uplink", {"192.0.2.0/24", "2001:db8::/64"}),
                  device("press4"), tcp(502));
  polls.terminate = inbound(802);
  polls.inspect.modbus = model::ModbusInspect{{1, 2, 3, 4}, {1}};
  polls.admission = {32, 200, 1};
  add_conduit(out, "meter-to-cloud", device("meter"), name("broker.example"), tcp(1883)).terminate =
      outbound("broker.example", 8883);
  add_conduit(out, "meter-to-fixed", device("meter"), addresses({"203.0.113.9"}), tcp(1883))
      .terminate = outbound("broker.example", 8883);
  add_conduit(out, "office-sees-camera", device("scada"), device("camera"), tcp(80, 81));
  add_conduit(out, "camera-time", device("camera"), name("time.example"), udp(123));
  add_conduit(out, "scada-pings", device("scada"), segment("field"), echo());
  add_conduit(out, "gateway-dns", device("gateway"), addresses({"203.0.113.53"}), udp(53));
  add_conduit(out, "scada-to-gateway", device("scada"), device("gateway"), tcp(22));
  add_conduit(out, "scada-inspected", device("scada"), device("press4"), tcp(502)).inspect.modbus =
      model::ModbusInspect{{3}, {}};
  return out;
}

compile::Compiled compiled(const model::Gateway& gateway, compile::CompileInput input) {
  auto out = compile::compile(gateway, input);
  if (!out) {
    for (const model::Diagnostic& d : out.error())
      std::fprintf(stderr, "%s\n", model::to_string(d, "test").c_str());
    SALLYPORT_CHECK(out.has_value());
  }
  return *std::move(out);
}

wire::SnapshotView view_of(const compile::Compiled& compiled) {
  const auto view = wire::SnapshotView::verify(compiled.snapshot);
  SALLYPORT_CHECK(view.has_value());
  return *view;
}

}  // namespace sallyport::testing
