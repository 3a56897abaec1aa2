#include "tests/unit/terminator/plant.h"

#include <algorithm>

#include "policy/base/check.h"

namespace sallyport::terminator::testing {

model::Gateway plant() {
  model::Gateway out = st::bare_gateway();
  auto& web = st::add_conduit(out, "web", st::segment("uplink", {"192.0.2.0/24", "2001:db8::/64"}),
                              st::device("camera"), st::tcp(80));
  web.terminate = st::inbound(443);
  web.terminate->client_auth = model::ClientAuth::kNone;
  web.terminate->client_ca.clear();
  auto& poll = st::add_conduit(out, "poll", st::segment("uplink", {"192.0.2.0/24"}),
                               st::device("press4"), st::tcp(502));
  poll.terminate = st::inbound(802);
  poll.inspect.modbus = model::ModbusInspect{{3}, {1}};
  auto& meter = st::add_conduit(out, "meter", st::device("meter"), st::addresses({"203.0.113.9"}),
                                st::tcp(1883));
  meter.terminate = st::outbound("broker.example", 8883);
  meter.terminate->server_address = st::ip("203.0.113.9");
  auto& inspected =
      st::add_conduit(out, "inspected", st::device("scada"), st::device("press4"), st::tcp(502));
  inspected.inspect.modbus = model::ModbusInspect{{3}, {}};
  return out;
}

model::Conduit& conduit(model::Gateway& gateway, std::string_view name) {
  const auto found = std::ranges::find(gateway.conduits, name, &model::Conduit::name);
  SALLYPORT_CHECK(found != gateway.conduits.end());
  return *found;
}

void remove(model::Gateway& gateway, std::string_view name) {
  std::erase_if(gateway.conduits, [name](const model::Conduit& c) { return c.name == name; });
}

Peer dial(Rig& rig, const std::string& conduit, IpVersion version) {
  const ListenAddress where = rig.listener(conduit, version);
  return {rig, connect_to(where.address, where.port)};
}

std::optional<Peer> taken(Rig& rig, const os::UniqueFd& listener) {
  std::optional<os::UniqueFd> socket;
  if (!rig.until([&] { return (socket = accept_on(listener)).has_value(); })) return std::nullopt;
  return Peer(rig, *std::move(socket));
}

namespace {

Peer secured(Rig& rig) {
  Peer out = dial(rig, "web");
  SALLYPORT_CHECK(out.secure(client_context("gw.example", "plant-ca.ca")));
  return out;
}
Peer met(Rig& rig, const os::UniqueFd& listener) {
  auto out = taken(rig, listener);
  SALLYPORT_CHECK(out.has_value());
  return *std::move(out);
}

}  // namespace

Web::Web(Rig& rig)
    : camera(listen_on("10.20.0.7", 80)), client(secured(rig)), device(met(rig, camera)) {}

}  // namespace sallyport::terminator::testing
