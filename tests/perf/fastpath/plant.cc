#include "tests/perf/fastpath/plant.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

#include "policy/compile/compile.h"

namespace sallyport::bench {
namespace {

constexpr std::uint16_t kFirstPort = 1000;

MacAddress mac_of(std::uint8_t segment, std::size_t n) {
  return MacAddress(
      {0x02, 0, segment, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
}
IpAddress address4(std::uint8_t segment, std::size_t n) {
  return IpAddress::v4(0x0a000000U | std::uint32_t{segment} << 16 |
                       static_cast<std::uint32_t>(n + 16));
}
IpAddress address6(std::uint8_t segment, std::size_t n) {
  return *IpAddress::parse(fmt::format("fd00:{}::{:x}", segment, n + 16));
}

constexpr std::uint8_t kField = 20, kOffice = 30;

model::Segment segment(const char* name, const char* port, std::uint8_t number) {
  model::Segment s;
  s.name = name;
  s.members = {{port, 0}};
  const IpAddress own4 = IpAddress::v4(0x0a000001U | std::uint32_t{number} << 16);
  const IpAddress own6 = *IpAddress::parse(fmt::format("fd00:{}::1", number));
  s.addresses = {{own4, *IpPrefix::make(own4, 16)}, {own6, *IpPrefix::make(own6, 64)}};
  return s;
}

model::Segment outside() {
  model::Segment s;
  s.name = "outside";
  s.members = {{"in", kOutsideVlan}};
  s.role = model::Role::kUplink;
  s.addresses = {{kOutsideOwn, *IpPrefix::make(kOutsideOwn, 24)}};
  s.gateways = {kRouter};
  s.napt44 = true;
  return s;
}

}  // namespace

Ends ends_of(const Plant& plant, std::size_t index) {
  const std::size_t client = index % plant.devices, server = index * 7 % plant.devices;
  return {mac_of(kField, client),
          mac_of(kOffice, server),
          address4(kField, client),
          address6(kField, client),
          address4(kOffice, server),
          address6(kOffice, server),
          index % 2 == 0 ? IpProtocol::kTcp : IpProtocol::kUdp,
          static_cast<std::uint16_t>(kFirstPort + index)};
}

BuiltPlant::BuiltPlant(const Plant& plant, const dataplane::Tables* before) {
  model::Gateway g;
  g.ports = {{"in", "net_pcap0", {}}, {"out", "net_null0", {}}};
  g.segments = {segment("field", "in", kField),
                plant.mapped ? outside() : segment("office", "out", kOffice)};
  for (std::size_t n = 0; n < plant.devices; ++n) {
    g.devices.push_back({fmt::format("client{}", n),
                         "field",
                         {"in", 0},
                         mac_of(kField, n),
                         {address4(kField, n), address6(kField, n)},
                         false,
                         {}});
    if (plant.mapped) continue;
    g.devices.push_back({fmt::format("server{}", n),
                         "office",
                         {"out", 0},
                         mac_of(kOffice, n),
                         {address4(kOffice, n), address6(kOffice, n)},
                         false,
                         {}});
  }
  for (std::size_t index = 0; index < plant.conduits; ++index) {
    const Ends e = ends_of(plant, index);
    model::Conduit c;
    c.name = fmt::format("conduit{}", index);
    c.from = model::DeviceEnd{fmt::format("client{}", index % plant.devices)};
    if (plant.mapped)
      c.to = model::AddressEnd{{e.server4}};
    else
      c.to = model::DeviceEnd{fmt::format("server{}", index * 7 % plant.devices)};
    c.service = {
        fmt::format("{}/{}", to_string(e.protocol), e.port), e.protocol, {e.port, e.port}, false};
    c.review = model::Review{"bench", 20000, 40000, "the bench's"};
    c.plaintext_accepted = true;
    if (plant.meant_anew(index))
      c.admission.per_device_per_s = static_cast<std::uint32_t>(plant.revision);
    g.conduits.push_back(c);
  }
  compile::CompileInput input;
  input.revision = plant.revision;
  input.unit_id = 1;
  auto compiled = compile::compile(g, input);
  if (!compiled) {
    std::fprintf(stderr, "the bench's plant does not compile: %s\n",
                 compiled.error().front().message.c_str());
    std::abort();
  }
  auto bytes = std::make_shared<const std::vector<std::uint8_t>>(std::move(compiled->snapshot));
  tables_ = dataplane::Tables::build(*wire::SnapshotView::verify(*bytes), bytes, before);
}

dataplane::PortSlot BuiltPlant::port(const char* name) const {
  return tables_->view().port(std::string_view(name))->slot();
}

MacAddress BuiltPlant::gateway_mac(const char* segment) const {
  return tables_->segment(tables_->view().segment(std::string_view(segment))->slot())->mac;
}

}  // namespace sallyport::bench
