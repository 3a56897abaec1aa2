#include "policy/prove/parts.h"

#include <fmt/format.h>

#include <map>
#include <set>
#include <tuple>

#include "policy/decide/classifier.h"

namespace sallyport::prove {
namespace {

class Parts {
 public:
  Parts(const wire::SnapshotView& view, const model::Gateway& gateway)
      : view_(view), classifier_(view), gateway_(gateway) {}

  std::vector<Difference> run() {
    compare_identities();
    compare_terminations();
    return std::move(out_);
  }

 private:
  void differ(Wrong wrong, std::string text) { out_.push_back({wrong, std::move(text), {}}); }
  void compare_identities();
  void compare_terminations();
  void compare_termination(const model::Conduit& c, const wire::Conduit& compiled);
  std::string segment_name(std::uint16_t slot) const {
    const wire::Segment* s = view_.segment(slot);
    return s == nullptr ? std::string("nowhere") : std::string(wire::text(s->name()));
  }

  const wire::SnapshotView& view_;
  const decide::Classifier classifier_;
  const model::Gateway& gateway_;
  std::vector<Difference> out_;
};

// Who is bound where: the same devices, each with its own MAC, port, VLAN and segment.
void Parts::compare_identities() {
  std::size_t bound = 0;
  for (const wire::Device& d : view_.devices()) bound += d.valid();
  if (bound != gateway_.devices.size())
    differ(Wrong::kIdentity,
           fmt::format("{} devices are bound, {} are enrolled", bound, gateway_.devices.size()));
  for (const model::Device& device : gateway_.devices) {
    const std::uint32_t slot = classifier_.device_by_mac(device.mac);
    const wire::Device* d = classifier_.device(slot);
    const wire::Port* port = d == nullptr ? nullptr : view_.port(d->port());
    const bool same =
        d != nullptr && view_.device_name(slot) == device.name && port != nullptr &&
        wire::text(port->name()) == device.where.port && d->vlan() == device.where.vlan &&
        segment_name(d->segment()) == device.segment &&
        segment_name(classifier_.segment_of(d->port(), d->vlan())) == device.segment &&
        (d->slaac_follow() != 0) == device.slaac_follow;
    if (!same)
      differ(Wrong::kIdentity, fmt::format("device {} is not bound as enrolled", device.name));
  }
  std::set<std::tuple<std::string, std::uint16_t, std::string>> is;
  std::set<std::tuple<std::string, std::uint16_t, std::string>> should;
  for (const wire::Member& m : view_.members())
    is.emplace(wire::text(view_.port(m.port())->name()), m.vlan(), segment_name(m.segment()));
  for (const model::Segment& s : gateway_.segments)
    for (const model::Member& m : s.members) should.emplace(m.port, m.vlan, s.name);
  if (is != should)
    differ(Wrong::kIdentity, "ports and VLANs belong to other segments than configured");
}

void Parts::compare_termination(const model::Conduit& c, const wire::Conduit& compiled) {
  const wire::Termination* t = compiled.termination();
  const auto wrong = [&](const char* what) {
    differ(Wrong::kTermination, fmt::format("conduit {}: {} is not as described", c.name, what));
  };
  const bool inbound = c.terminate && c.terminate->side == model::Side::kInbound;
  const bool outbound = c.terminate && c.terminate->side == model::Side::kOutbound;
  if (t->tls_listener() != inbound || t->tls_server() != outbound) return wrong("its TLS side");
  const model::Terminate tls = c.terminate.value_or(model::Terminate{});
  if (t->client_auth() != static_cast<wire::ClientAuth>(tls.client_auth) ||
      wire::text(t->client_ca()) != tls.client_ca ||
      wire::text(t->certificate()) != tls.certificate ||
      wire::text(t->server_ca()) != tls.server_ca)
    wrong("a credential");
  if (outbound &&
      (wire::text(t->server_name()) != tls.server_name || t->server_port() != tls.server_port))
    wrong("its server");
  if (!outbound && t->server_port() != c.service.ports.first) wrong("its server's port");
  const auto list = [](const auto* bytes) {
    return bytes == nullptr ? std::vector<std::uint8_t>()
                            : std::vector<std::uint8_t>(bytes->begin(), bytes->end());
  };
  const wire::ModbusInspect* modbus = compiled.modbus();
  const bool inspected = c.inspect.modbus
                             ? modbus != nullptr &&
                                   list(modbus->functions()) == c.inspect.modbus->functions &&
                                   list(modbus->units()) == c.inspect.modbus->units
                             : modbus == nullptr;
  if (!inspected) wrong("its inspection");
}

void Parts::compare_terminations() {
  std::map<std::string_view, const wire::Conduit*> compiled;
  for (const wire::Conduit* c : *view_.root().conduits())
    compiled.emplace(wire::text(c->name()), c);
  for (const model::Conduit& c : gateway_.conduits) {
    const auto at = compiled.find(c.name);
    if (at == compiled.end()) {
      differ(Wrong::kTermination, fmt::format("conduit {} is not in the snapshot", c.name));
    } else if (at->second->termination() != nullptr) {
      compare_termination(c, *at->second);
    }
  }
}

}  // namespace

std::vector<Difference> part_differences(const wire::SnapshotView& view,
                                         const model::Gateway& gateway) {
  return Parts(view, gateway).run();
}

}  // namespace sallyport::prove
