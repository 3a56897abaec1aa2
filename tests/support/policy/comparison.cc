#include "tests/support/policy/comparison.h"

#include <algorithm>
#include <set>

#include "policy/base/check.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::testing {
namespace {

const char* kind_text(wire::RuleKind kind) {
  constexpr std::array kTexts = {"direct", "leg-a", "leg-b", "host"};
  return kTexts[static_cast<std::size_t>(kind)];
}

std::string show(const ReferenceVerdict& v) { return v.allowed ? v.rule + " " + v.kind : v.reason; }

std::string show(const ReferencePacket& p) {
  std::string out = "in " + p.ingress->name + (p.from_host_stack ? " (host)" : "") + " " +
                    p.source.to_string() + " > " + p.destination.to_string() + " protocol " +
                    std::to_string(p.protocol) + " port " + std::to_string(p.port);
  for (const std::string& name : p.names) out += " " + name;
  return out;
}

}  // namespace

std::optional<Agreed> agree(model::Gateway gateway, const compile::Slots& previous) {
  Agreed out;
  while (true) {
    compile::CompileInput input;
    input.previous = previous;
    auto result = compile::compile(gateway, input);
    if (result) {
      out.gateway = std::move(gateway);
      out.compiled = *std::move(result);
      return out;
    }
    std::set<std::uint32_t> lines;
    for (const model::Diagnostic& d : result.error()) {
      SALLYPORT_CHECK(d.code != "compiler-bug");
      if (d.code == "conduit-overlap") ++out.overlaps;
      lines.insert(d.at.line);
    }
    if (*lines.begin() < 100) return std::nullopt;
    std::erase_if(gateway.conduits, [&](const auto& c) { return lines.contains(c.at.line); });
  }
}

Comparison::Comparison(const Agreed& agreed, Choices& choices)
    : agreed_(agreed),
      choices_(choices),
      view_(view_of(agreed.compiled)),
      likely_(view_),
      classifier_(view_, &likely_),
      plain_(view_),
      names_(view_),
      reference_(agreed.gateway, agreed.compiled.slots.virtual_addresses) {
  std::vector<IpAddress> virtuals;
  for (const auto& [key, list] : agreed.compiled.slots.virtual_addresses)
    virtuals.insert(virtuals.end(), list.begin(), list.end());
  for (const IpAddress& a : interesting_addresses(agreed.gateway, virtuals))
    addresses_[a.is_v4() ? 0 : 1].push_back(a);
  for (const auto& version : addresses_)
    for (const IpAddress& a : version)
      if (const auto* at = reference_.place(a).segment) by_segment_[at->name].push_back(a);
}

std::optional<std::string> Comparison::run(std::size_t packets) {
  for (std::size_t i = 0; i < packets; ++i)
    if (auto difference = compare(some_packet())) return difference;
  return std::nullopt;
}

IpAddress Comparison::some_address(std::size_t version) {
  if (!choices_.one_in(10)) return choices_.pick(addresses_[version]);
  std::array<std::uint8_t, 16> bytes{};
  for (auto& b : bytes) b = static_cast<std::uint8_t>(choices_.below(256));
  if (version == 1) return IpAddress::v6(bytes);
  return IpAddress::v4_bytes({bytes[0], bytes[1], bytes[2], bytes[3]});
}

ReferencePacket Comparison::some_packet() {
  ReferencePacket p;
  const std::size_t version = choices_.below(2);
  p.source = some_address(version);
  p.destination = some_address(choices_.one_in(50) ? 1 - version : version);
  constexpr std::array<std::uint8_t, 6> kProtocols = {6, 6, 17, 1, 58, 2};
  p.protocol = choices_.pick(kProtocols);
  p.port = choices_.pick(ports_);
  if (p.protocol == 1 && choices_.one_in(2)) p.port = 8;
  if (p.protocol == 58 && choices_.one_in(2)) p.port = 128;
  constexpr std::array kNames = {"broker.example", "time.example", "a.b.example", "other.example"};
  while (choices_.one_in(3)) p.names.emplace_back(choices_.pick(kNames));
  if (!agreed_.gateway.conduits.empty() && !choices_.one_in(3)) {
    aim(choices_.pick(agreed_.gateway.conduits), p);
    if (choices_.one_in(3)) spoil(p);
  }
  // Mostly from where the source really is.
  const testing::ReferencePlace from = reference_.place(p.source);
  p.ingress = from.segment != nullptr && !choices_.one_in(10)
                  ? from.segment
                  : &choices_.pick(agreed_.gateway.segments);
  p.from_host_stack = from.gateway ? !choices_.one_in(10) : choices_.one_in(10);
  if (!p.from_host_stack) {
    p.sender = from.device;
    if (choices_.one_in(20) && !agreed_.gateway.devices.empty())
      p.sender = &choices_.pick(agreed_.gateway.devices);
  }
  return p;
}

IpAddress Comparison::within(const model::End& end, const IpAddress& otherwise) {
  std::vector<IpAddress> list;
  if (const auto* d = std::get_if<model::DeviceEnd>(&end)) {
    for (const model::Device& device : agreed_.gateway.devices)
      if (device.name == d->device) list = device.addresses;
    if (d->device == model::kGatewayName)
      for (const model::Segment& s : agreed_.gateway.segments)
        for (const model::InterfaceAddress& i : s.addresses) list.push_back(i.address);
  } else if (const auto* s = std::get_if<model::SegmentEnd>(&end)) {
    const auto at = by_segment_.find(s->segment);
    return at == by_segment_.end() ? otherwise : choices_.pick(at->second);
  } else if (const auto* l = std::get_if<model::AddressEnd>(&end)) {
    list = l->addresses;
  } else if (const auto* n = std::get_if<model::NameEnd>(&end)) {
    for (const auto& [key, answers] : agreed_.compiled.slots.virtual_addresses)
      if (key.second == n->name) list.insert(list.end(), answers.begin(), answers.end());
  }
  return list.empty() ? otherwise : choices_.pick(list);
}

IpAddress Comparison::own_address() {
  return within(model::DeviceEnd{std::string(model::kGatewayName)}, {});
}

void Comparison::aim(const model::Conduit& c, ReferencePacket& p) {
  p.protocol = static_cast<std::uint8_t>(c.service.protocol);
  p.port = choices_.one_in(2) ? c.service.ports.first : c.service.ports.last;
  p.source = within(c.from, p.source);
  p.destination = within(c.to, p.destination);
  if (const auto* n = std::get_if<model::NameEnd>(&c.to); n != nullptr && choices_.one_in(2))
    p.names.push_back(n->name);
  if ((c.terminate || c.inspect.modbus) && choices_.one_in(2)) {
    p.source = own_address();
    if (c.terminate && c.terminate->side == model::Side::kOutbound) {
      p.port = c.terminate->server_port;
      p.names.push_back(c.terminate->server_name);
      if (c.terminate->server_address) p.destination = *c.terminate->server_address;
    }
  } else if (c.terminate && c.terminate->side == model::Side::kInbound) {
    p.port = c.terminate->listen_port;
    p.destination = c.terminate->listen_address.value_or(own_address());
  }
  for (int tries = 0; tries < 4 && p.source.version() != p.destination.version(); ++tries) {
    p.source = reference_.place(p.source).gateway ? own_address() : within(c.from, p.source);
  }
  if (p.protocol == 1 && !p.source.is_v4()) {
    p.protocol = 58;
    p.port = 128;
  }
}

void Comparison::spoil(ReferencePacket& p) {
  switch (choices_.below(4)) {
    case 0:
      p.source = some_address(p.source.is_v4() ? 0 : 1);
      break;
    case 1:
      p.destination = some_address(p.destination.is_v4() ? 0 : 1);
      break;
    case 2:
      p.protocol = p.protocol == 6 ? 17 : 6;
      break;
    default:
      p.port = static_cast<std::uint16_t>(choices_.one_in(2) ? p.port + 1 : p.port - 1);
  }
}

std::optional<std::string> Comparison::compare(const ReferencePacket& p) {
  decide::Ingress ingress;
  ingress.segment = static_cast<std::uint16_t>(agreed_.compiled.slots.segments.at(p.ingress->name));
  ingress.origin = p.from_host_stack ? decide::Origin::kHostStack : decide::Origin::kWire;
  if (p.sender != nullptr) ingress.device = agreed_.compiled.slots.devices.at(p.sender->name);
  std::vector<std::uint32_t> classes;
  for (const std::string& name : p.names)
    if (const auto c = names_.destination_class(std::string_view(name))) classes.push_back(*c);
  const decide::Tuple tuple{p.source, p.destination, p.protocol, 50000, p.port};
  ingress.place = p.port % 64;
  const decide::Verdict v = classifier_.classify(ingress, tuple, classes);
  if (!same(v, ingress, tuple, classes)) return show(p) + "\n  found otherwise by search";
  ReferenceVerdict seen;
  seen.allowed = v.decision.allowed();
  if (seen.allowed) {
    ++allowed_;
    seen.rule = std::string(view_.rule_name(v.decision.rule()));
    seen.kind = kind_text(v.decision.kind());
  } else {
    seen.reason = std::string(to_string(v.reason));
  }
  const ReferenceVerdict expected = reference_.judge(p);
  // Of several names the order is the packet's; any rule that permits it may give its name.
  if (seen == expected || (seen.allowed && !p.names.empty() && any_of(p, seen)))
    return std::nullopt;
  return show(p) + "\n  compiled: " + show(seen) + "\n  twin:     " + show(expected);
}

bool Comparison::same(const decide::Verdict& found, const decide::Ingress& ingress,
                      const decide::Tuple& tuple, std::span<const std::uint32_t> names) const {
  const decide::Verdict searched = plain_.classify(ingress, tuple, names);
  const std::uint32_t owner = searched.source.device;
  const decide::Place place = classifier_.place_of(owner, tuple.source);
  decide::Location at;
  if (classifier_.lives_at(owner, tuple.source, at) != (place != decide::kNoPlace) ||
      (place != decide::kNoPlace && at != searched.source))
    return false;
  return found.decision == searched.decision && found.reason == searched.reason &&
         found.source == searched.source && found.destination == searched.destination &&
         (place == decide::kNoPlace || plain_.at(place, tuple.source) == searched.source);
}

bool Comparison::any_of(const ReferencePacket& p, const ReferenceVerdict& seen) const {
  const auto all = reference_.permitting(p);
  return reference_.judge(p).allowed && std::find(all.begin(), all.end(), seen) != all.end();
}

}  // namespace sallyport::testing
