#include "policy/prove/parts.h"

#include <fmt/format.h>

#include <array>
#include <map>
#include <set>
#include <tuple>

#include "policy/decide/classifier.h"

namespace sallyport::prove {
namespace {

// Held apart from the compiler's constants of the same meaning.
constexpr std::uint32_t kDefaultInflight = 64;
constexpr std::uint32_t kFlowsOutliveTheirConversation_s = 10;

std::string text_of(const flatbuffers::String* string) { return std::string(wire::text(string)); }

std::vector<std::uint8_t> list_of(const flatbuffers::Vector<std::uint8_t>* bytes) {
  return bytes == nullptr ? std::vector<std::uint8_t>()
                          : std::vector<std::uint8_t>(bytes->begin(), bytes->end());
}
std::vector<IpAddress> list_of(const flatbuffers::Vector<const wire::Address*>* addresses) {
  std::vector<IpAddress> out;
  for (const wire::Address* a : *addresses) out.push_back(wire::to_ip(*a));
  return out;
}

class Parts {
 public:
  Parts(const wire::SnapshotView& view, const model::Gateway& gateway, const Described& described,
        const Witnesses& witnesses)
      : view_(view),
        classifier_(view),
        gateway_(gateway),
        described_(described),
        witnesses_(witnesses) {}

  std::vector<Difference> run() {
    compare_ports();
    compare_segments();
    compare_devices();
    compare_members();
    compare_conduits();
    compare_rules();
    if (list_of(view_.root().resolvers()) != described_.resolvers())
      differ(Wrong::kTermination, "the terminator's DNS servers are not the described ones", {});
    return std::move(out_);
  }

 private:
  void differ(Wrong wrong, std::string text, std::optional<explain::Question> witness) {
    out_.push_back({wrong, std::move(text), std::move(witness), {}});
  }
  std::string segment_name(std::uint16_t slot) const {
    const wire::Segment* s = view_.segment(slot);
    return s == nullptr ? std::string("nowhere") : text_of(s->name());
  }
  void compare_ports();
  void compare_segments();
  bool same_segment(const model::Segment& should, const wire::Segment& is) const;
  void compare_devices();
  bool bound_as_enrolled(const model::Device& device) const;
  void compare_members();
  void compare_conduits();
  void compare_conduit(const model::Conduit& should, const wire::Conduit& is);
  void compare_termination(const model::Conduit& should, const wire::Termination& is);
  void compare_rules();
  bool lasts_as_described(const model::Conduit* conduit, const wire::Rule& rule) const;

  const wire::SnapshotView& view_;
  const decide::Classifier classifier_;
  const model::Gateway& gateway_;
  const Described& described_;
  const Witnesses& witnesses_;
  std::vector<Difference> out_;
};

void Parts::compare_ports() {
  std::set<std::pair<std::string, std::string>> is;
  std::set<std::pair<std::string, std::string>> should;
  for (const wire::Port* p : *view_.root().ports())
    is.emplace(text_of(p->name()), text_of(p->device()));
  for (const model::Port& p : gateway_.ports) should.emplace(p.name, p.device);
  if (is != should) differ(Wrong::kIdentity, "the ports are not the configured ones", {});
}

bool Parts::same_segment(const model::Segment& should, const wire::Segment& is) const {
  std::vector<std::pair<IpAddress, unsigned>> own;
  for (const wire::InterfaceAddress* a : *is.addresses())
    own.emplace_back(wire::to_ip(a->address()), a->prefix_length());
  std::vector<std::pair<IpAddress, unsigned>> meant;
  for (const model::InterfaceAddress& a : should.addresses)
    meant.emplace_back(a.address, a.subnet.length());
  // A MAC that nobody chose is at least one that may be chosen: unicast, locally administered.
  const MacAddress mac = wire::to_mac(*is.mac());
  const bool fine = should.mac ? mac == *should.mac : (mac.bytes()[0] & 3) == 2;
  return fine && static_cast<model::Role>(is.role()) == should.role && own == meant &&
         list_of(is.gateways()) == should.gateways && is.services() == should.services &&
         is.isolated() == should.isolated && is.napt44() == should.napt44 && is.mtu() == should.mtu;
}

void Parts::compare_segments() {
  if (view_.root().segments()->size() != gateway_.segments.size())
    differ(Wrong::kIdentity, "there are more segments than configured", {});
  std::set<MacAddress> macs;
  for (const model::Device& d : gateway_.devices) macs.insert(d.mac);
  for (const model::Segment& should : gateway_.segments) {
    const wire::Segment* is = view_.segment(std::string_view(should.name));
    if (is == nullptr || !same_segment(should, *is)) {
      differ(Wrong::kIdentity, fmt::format("segment {} is not as configured", should.name),
             should.members.empty()
                 ? std::nullopt
                 : witnesses_.on_wire(should.members[0].port, should.members[0].vlan, should.name));
    } else if (!macs.insert(wire::to_mac(*is->mac())).second) {
      differ(Wrong::kIdentity, fmt::format("the gateway's MAC in {} is another's too", should.name),
             {});
    }
  }
}

bool Parts::bound_as_enrolled(const model::Device& device) const {
  const std::uint32_t slot = classifier_.device_by_mac(device.mac);
  const wire::Device* d = classifier_.device(slot);
  const wire::Port* port = d == nullptr ? nullptr : view_.port(d->port());
  return port != nullptr && view_.device_name(slot) == device.name &&
         wire::text(port->name()) == device.where.port && d->vlan() == device.where.vlan &&
         segment_name(d->segment()) == device.segment &&
         segment_name(classifier_.segment_of(d->port(), d->vlan())) == device.segment &&
         (d->slaac_follow() != 0) == device.slaac_follow;
}

// Who is bound where: the same devices, each with its own MAC, port, VLAN and segment.
void Parts::compare_devices() {
  std::set<std::string_view> enrolled;
  for (const model::Device& device : gateway_.devices) {
    enrolled.insert(device.name);
    if (!bound_as_enrolled(device))
      differ(Wrong::kIdentity, fmt::format("device {} is not bound as enrolled", device.name),
             witnesses_.of_device(device));
  }
  for (std::uint32_t slot = 0; slot < view_.devices().size(); ++slot)
    if (view_.devices()[slot].valid() != 0 && !enrolled.contains(view_.device_name(slot)))
      differ(Wrong::kIdentity,
             fmt::format("device {} is bound and not enrolled", view_.device_name(slot)),
             witnesses_.of_slot(slot));
}

void Parts::compare_members() {
  std::set<std::tuple<std::string, std::uint16_t, std::string>> is;
  std::set<std::tuple<std::string, std::uint16_t, std::string>> should;
  for (const wire::Member& m : view_.members())
    is.emplace(text_of(view_.port(m.port())->name()), m.vlan(), segment_name(m.segment()));
  for (const model::Segment& s : gateway_.segments)
    for (const model::Member& m : s.members) should.emplace(m.port, m.vlan, s.name);
  if (is == should) return;
  std::optional<explain::Question> witness;
  for (const auto& [port, vlan, segment] : should)
    if (!witness && !is.contains({port, vlan, segment}))
      witness = witnesses_.on_wire(port, vlan, segment);
  differ(Wrong::kIdentity, "ports and VLANs belong to other segments than configured",
         std::move(witness));
}

void Parts::compare_termination(const model::Conduit& c, const wire::Termination& t) {
  const auto wrong = [&](const char* what) {
    differ(Wrong::kTermination, fmt::format("conduit {}: {} is not as described", c.name, what),
           witnesses_.of_conduit(c));
  };
  const bool inbound = c.terminate && c.terminate->side == model::Side::kInbound;
  const bool outbound = c.terminate && c.terminate->side == model::Side::kOutbound;
  const bool listens = inbound || (!outbound && std::holds_alternative<model::DeviceEnd>(c.to));
  if (t.tls_listener() != inbound || t.tls_server() != outbound ||
      t.side() != (listens ? wire::Side::Inbound : wire::Side::Outbound))
    wrong("its TLS side");
  const model::Terminate tls = c.terminate.value_or(model::Terminate{});
  if (t.client_auth() != static_cast<wire::ClientAuth>(tls.client_auth) ||
      wire::text(t.client_ca()) != tls.client_ca ||
      wire::text(t.certificate()) != tls.certificate || wire::text(t.server_ca()) != tls.server_ca)
    wrong("a credential");
  DescribedTermination is;
  for (const std::uint16_t slot : *t.listen_segments())
    is.listen_segments.insert(segment_name(slot));
  is.server_name = text_of(t.server_name());
  is.server_addresses = list_of(t.server_addresses());
  is.server_port = t.server_port();
  is.server_segment = segment_name(t.server_segment());
  const DescribedTermination& should = *described_.termination(c);
  if (is.listen_segments != should.listen_segments) wrong("where it listens");
  is.listen_segments = should.listen_segments;
  if (is != should) wrong("its server");
  if (t.inflight() != (c.admission.inflight == 0 ? kDefaultInflight : c.admission.inflight))
    wrong("its bound of handshakes");
  const auto& said = c.timeouts.seconds;
  if (t.idle_s() != said[0] + said[3] || t.half_closed_s() != said[1])
    wrong("how long it may be silent");
}

void Parts::compare_conduit(const model::Conduit& c, const wire::Conduit& is) {
  const auto wrong = [&](const char* what) {
    differ(Wrong::kTermination, fmt::format("conduit {}: {} is not as described", c.name, what),
           witnesses_.of_conduit(c));
  };
  if (is.line() != c.at.line || is.column() != c.at.column) wrong("its place in the file");
  if (is.reviewed() != described_.enforced(c)) wrong("whether it is in force");
  const auto asked = described_.question(c);
  const bool same_question = asked ? wire::text(is.name_asked()) == asked->second &&
                                         segment_name(is.name_segment()) == asked->first
                                   : wire::text(is.name_asked()).empty();
  if (!same_question) wrong("the name that it answers for");
  const wire::ModbusInspect* modbus = is.modbus();
  const bool inspected = c.inspect.modbus
                             ? modbus != nullptr &&
                                   list_of(modbus->functions()) == c.inspect.modbus->functions &&
                                   list_of(modbus->units()) == c.inspect.modbus->units
                             : modbus == nullptr;
  if (!inspected) wrong("its inspection");
  const bool terminated = described_.termination(c) != nullptr;
  if (terminated != (is.termination() != nullptr))
    wrong("whether it is terminated");
  else if (terminated)
    compare_termination(c, *is.termination());
}

void Parts::compare_conduits() {
  std::map<std::string_view, const wire::Conduit*> compiled;
  for (const wire::Conduit* c : *view_.root().conduits())
    compiled.emplace(wire::text(c->name()), c);
  if (compiled.size() != gateway_.conduits.size())
    differ(Wrong::kTermination, "the conduits are not the configured ones", {});
  for (const model::Conduit& c : gateway_.conduits) {
    const auto at = compiled.find(c.name);
    if (at == compiled.end())
      differ(Wrong::kTermination, fmt::format("conduit {} is not in the snapshot", c.name), {});
    else
      compare_conduit(c, *at->second);
  }
}

// A conduit has one transport, and says times of that one alone: both sides agreed, one of them
// ended, not both agreed.
bool Parts::lasts_as_described(const model::Conduit* conduit, const wire::Rule& rule) const {
  std::array<std::uint32_t, 3> should{};
  if (conduit != nullptr) {
    const auto& said = conduit->timeouts.seconds;
    should = {said[0] + said[3] + said[4], said[1], said[2]};
    if (described_.termination(*conduit) != nullptr)
      for (std::uint32_t* both : {&should[0], &should[1]})
        if (*both != 0) *both += kFlowsOutliveTheirConversation_s;
  }
  const auto* is = rule.silence_s();
  return is->Get(0) == should[0] && is->Get(1) == should[1] && is->Get(2) == should[2];
}

// Each rule belongs to the conduit whose name it has, and bounds what that conduit bounds.
void Parts::compare_rules() {
  std::map<std::string_view, const model::Conduit*> conduits;
  for (const model::Conduit& c : gateway_.conduits) conduits.emplace(c.name, &c);
  for (std::uint32_t slot = 0; slot < view_.rules().size(); ++slot) {
    const wire::Rule& rule = view_.rules()[slot];
    if (rule.valid() == 0) continue;
    const std::string_view name = view_.rule_name(slot);
    const wire::Conduit* of = view_.conduit(rule.conduit());
    const auto at = conduits.find(name);
    const bool built_in = of == nullptr && name.starts_with("builtin:");
    const bool named = of != nullptr && at != conduits.end() && wire::text(of->name()) == name;
    if (!built_in && !named) {
      differ(Wrong::kOtherRule, fmt::format("rule {} does not belong to its conduit", name), {});
      continue;
    }
    model::AdmissionSpec bounds = named ? at->second->admission : model::AdmissionSpec{};
    if (rule.kind() == wire::RuleKind::Terminate && bounds.inflight == 0)
      bounds.inflight = kDefaultInflight;
    const model::AdmissionSpec is{rule.inflight(), rule.rate_per_s(), rule.per_device_per_s()};
    if (!lasts_as_described(named ? at->second : nullptr, rule))
      differ(Wrong::kTermination,
             fmt::format("rule {}: its flows may not be silent for as long as described", name),
             named ? witnesses_.of_conduit(*at->second) : std::nullopt);
    if (is != bounds)
      differ(Wrong::kTermination, fmt::format("rule {}: its bounds are not as described", name),
             named ? witnesses_.of_conduit(*at->second) : std::nullopt);
  }
}

}  // namespace

std::vector<Difference> part_differences(const wire::SnapshotView& view,
                                         const model::Gateway& gateway, const Described& described,
                                         const Witnesses& witnesses) {
  return Parts(view, gateway, described, witnesses).run();
}

}  // namespace sallyport::prove
