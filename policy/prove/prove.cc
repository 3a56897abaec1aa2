#include "policy/prove/prove.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>

#include "policy/explain/candidates.h"
#include "policy/explain/question.h"
#include "policy/prove/described.h"
#include "policy/prove/joint.h"
#include "policy/prove/parts.h"
#include "policy/prove/witness.h"

namespace sallyport::prove {
namespace {

using wire::RuleKind;

// One side's say about one key: a compiled range, or a described box.
struct Say {
  std::uint64_t source_destination = 0;  // joint ids
  std::uint8_t protocol = 0;
  PortRange ports;
  std::uint32_t rule = wire::kNoRule;       // compiled
  const DescribedBox* described = nullptr;  // described
  bool same_key(const Say& other) const {
    return source_destination == other.source_destination && protocol == other.protocol;
  }
  JointId source() const { return static_cast<JointId>(source_destination >> 32); }
  JointId destination() const { return static_cast<JointId>(source_destination); }
};

bool is_carried(std::uint8_t protocol, bool v4) {
  switch (static_cast<IpProtocol>(protocol)) {
    case IpProtocol::kTcp:
    case IpProtocol::kUdp:
      return true;
    case IpProtocol::kIcmp:
      return v4;
    case IpProtocol::kIcmp6:
      return !v4;
  }
  return false;
}

// Everything that a conduit says but its name, its ends and its review.
bool same_treatment(const model::Conduit& a, const model::Conduit& b) {
  return a.terminate == b.terminate && a.inspect == b.inspect && a.admission == b.admission &&
         a.timeouts == b.timeouts && a.plaintext_accepted == b.plaintext_accepted;
}

// Conduits that differ in anything but name and review must not both hold a packet. Leg B only
// repeats what its conduit implies, and a service may repeat a conduit of its own kind.
bool may_both_hold(const DescribedBox& a, const DescribedBox& b) {
  if (a.kind == RuleKind::LegB || b.kind == RuleKind::LegB) return true;
  if (a.kind != b.kind) return false;
  if (a.conduit == b.conduit || a.conduit == nullptr || b.conduit == nullptr) return true;
  return a.source == b.source && a.destination == b.destination && a.name == b.name &&
         a.transport == b.transport && same_treatment(*a.conduit, *b.conduit);
}

bool names_first(const DescribedBox& a, const DescribedBox& b) {
  return std::pair(a.rank(), &a) < std::pair(b.rank(), &b);  // boxes stand as written
}

class Prover {
 public:
  Prover(const wire::SnapshotView& view, const model::Gateway& gateway,
         std::optional<std::int32_t> today)
      : view_(view),
        classifier_(view),
        gateway_(gateway),
        described_(gateway, today, view, faults_),
        joint_(view, classifier_, described_),
        witnesses_(view, classifier_, joint_, described_) {}

  Proof run() {
    out_.revision = view_.revision();
    out_.intervals = joint_.starts().size();
    for (std::string& fault : faults_) differ(Wrong::kTermination, std::move(fault), std::nullopt);
    compare_places();
    for (Difference& d : part_differences(view_, gateway_, described_, witnesses_))
      differ(d.wrong, std::move(d.text), std::move(d.witness));
    compare_rules();
    find_unenforceable();
    return std::move(out_);
  }

 private:
  using Boxes = std::vector<const DescribedBox*>;

  void differ(Wrong wrong, std::string text, std::optional<explain::Question> witness);
  void compare_places();
  void compare_rules();
  void compare_key(std::span<const Say> says);
  void compare_port(const Say& key, std::uint16_t port, const Say* compiled,
                    const Boxes& described);
  void find_unenforceable();
  std::vector<Say> compiled_says() const;
  std::vector<Say> described_says() const;
  std::string key_text(const Say& key, std::uint16_t port) const;
  std::string segment_name(std::uint16_t slot) const {
    const wire::Segment* s = view_.segment(slot);
    return s == nullptr ? std::string("nowhere") : std::string(wire::text(s->name()));
  }

  const wire::SnapshotView& view_;
  const decide::Classifier classifier_;
  const model::Gateway& gateway_;
  std::vector<std::string> faults_;
  const Described described_;
  const Joint joint_;
  const Witnesses witnesses_;
  Proof out_;
};

void Prover::differ(Wrong wrong, std::string text, std::optional<explain::Question> witness) {
  if (out_.differences.size() == kMaxDifferences) {
    ++out_.differences_omitted;
    return;
  }
  Difference& made = out_.differences.emplace_back();
  made.wrong = wrong;
  made.text = std::move(text);
  if (!witness) return;
  made.command = explain::command_line_of(view_, *witness);
  made.text += "; for example " + explain::sentence_of(view_, *witness);
  made.witness = std::move(witness);
}

void Prover::compare_places() {
  for (const Number n : joint_.starts()) {
    ++out_.steps;
    const IpAddress address = address_of(n);
    const decide::Location is = classifier_.locate(address);
    const DescribedPlace should = described_.place(n);
    const std::string segment = should.segment == nullptr ? "nowhere" : should.segment->name;
    const std::string device = should.device == nullptr ? "" : should.device->name;
    const bool same_segment = is.is_virtual()
                                  ? should.is_virtual
                                  : segment_name(is.segment) == segment && !should.is_virtual;
    if (same_segment && is.is_gateway() == should.gateway && view_.device_name(is.device) == device)
      continue;
    differ(
        Wrong::kPlace,
        fmt::format("{} lives in {} {}, the configuration says {} {}", address.to_string(),
                    is.is_virtual() ? "virtual" : segment_name(is.segment),
                    is.is_gateway() ? "gateway" : view_.device_name(is.device),
                    should.is_virtual ? "virtual" : segment, should.gateway ? "gateway" : device),
        witnesses_.from(address, should));
  }
}

std::vector<Say> Prover::compiled_says() const {
  std::vector<Say> out;
  for (const wire::PairSlot& pair : view_.pairs()) {
    if (pair.key() == 0) continue;
    const auto protocol = static_cast<std::uint8_t>(pair.key());
    const auto& from = joint_.sources_of_class(static_cast<std::uint32_t>(pair.key() >> 40));
    const auto& to =
        joint_.destinations_of_class(static_cast<std::uint32_t>(pair.key() >> 16) & 0xffffffU);
    for (const JointId s : from) {
      for (const JointId d : to) {
        const JointClass& end = joint_.destinations()[d];
        // No packet has two versions.
        if (end.name.empty() && end.v4 != joint_.sources()[s].v4) continue;
        for (const wire::RangeRule& r : view_.ranges().subspan(pair.first(), pair.count()))
          out.push_back({static_cast<std::uint64_t>(s) << 32 | d,
                         protocol,
                         {r.first_port(), r.last_port()},
                         r.rule(),
                         nullptr});
      }
    }
  }
  return out;
}

std::vector<Say> Prover::described_says() const {
  std::vector<Say> out;
  for (const DescribedBox& box : described_.boxes()) {
    for (const JointId s : joint_.sources_of(box)) {
      if (!is_carried(box.transport.protocol, joint_.sources()[s].v4)) continue;
      for (const JointId d : joint_.destinations_of(box)) {
        const JointClass& end = joint_.destinations()[d];
        if (end.name.empty() && end.v4 != joint_.sources()[s].v4) continue;
        out.push_back({static_cast<std::uint64_t>(s) << 32 | d, box.transport.protocol,
                       box.transport.ports, wire::kNoRule, &box});
      }
    }
  }
  return out;
}

void Prover::compare_rules() {
  std::vector<Say> says = compiled_says();
  const std::vector<Say> described = described_says();
  says.insert(says.end(), described.begin(), described.end());
  out_.steps += says.size();
  std::sort(says.begin(), says.end(), [](const Say& a, const Say& b) {
    return std::tuple(a.source_destination, a.protocol, a.ports.first) <
           std::tuple(b.source_destination, b.protocol, b.ports.first);
  });
  for (std::size_t i = 0; i < says.size();) {
    std::size_t end = i + 1;
    while (end < says.size() && says[end].same_key(says[i])) ++end;
    compare_key(std::span(says).subspan(i, end - i));
    ++out_.boxes;
    i = end;
  }
}

// At each port where either side begins or ends, and so at every port. `says` stand by first port.
void Prover::compare_key(std::span<const Say> says) {
  std::vector<std::uint32_t> points;
  for (const Say& s : says) {
    points.push_back(s.ports.first);
    points.push_back(s.ports.last + 1U);
  }
  std::sort(points.begin(), points.end());
  points.erase(std::unique(points.begin(), points.end()), points.end());
  std::vector<const Say*> open;
  Boxes described;
  std::size_t next = 0;
  for (const std::uint32_t point : points) {
    if (point > 0xffff) break;
    const auto port = static_cast<std::uint16_t>(point);
    std::erase_if(open, [&](const Say* s) { return s->ports.last < port; });
    for (; next < says.size() && says[next].ports.first == port; ++next)
      open.push_back(&says[next]);
    const Say* compiled = nullptr;
    described.clear();
    for (const Say* s : open) {
      if (s->described == nullptr) {
        compiled = s;
      } else {
        described.push_back(s->described);
      }
    }
    out_.steps += open.size();
    compare_port(says.front(), port, compiled, described);
  }
}

void Prover::compare_port(const Say& key, std::uint16_t port, const Say* compiled,
                          const Boxes& described) {
  if (compiled == nullptr && described.empty()) return;
  const auto tell = [&](Wrong wrong, const std::string& what) {
    differ(wrong, key_text(key, port) + ": " + what,
           witnesses_.between(key.source(), key.destination(), key.protocol, port));
  };
  if (compiled == nullptr)
    return tell(Wrong::kMissing,
                fmt::format("described by {} but denied", described.front()->rule));
  const std::string_view rule = view_.rule_name(compiled->rule);
  const RuleKind kind = view_.rules()[compiled->rule].kind();
  if (described.empty())
    return tell(Wrong::kUndescribed, fmt::format("permitted by {} but nobody described it", rule));
  const DescribedBox& first = **std::min_element(
      described.begin(), described.end(),
      [](const DescribedBox* a, const DescribedBox* b) { return names_first(*a, *b); });
  const auto other = std::find_if(described.begin(), described.end(),
                                  [&](const DescribedBox* b) { return !may_both_hold(first, *b); });
  if (other != described.end())
    return tell(Wrong::kAmbiguous,
                fmt::format("{} was chosen, {} and {} differ and both describe it", rule,
                            first.rule, (*other)->rule));
  if (first.rule != rule || first.kind != kind)
    tell(Wrong::kOtherRule,
         fmt::format("permitted as {} ({}), described as {} ({})", rule, explain::kind_text(kind),
                     first.rule, explain::kind_text(first.kind)));
}

// "tcp 10.30.0.5 > 10.20.0.7 port 80", for ends that perhaps nobody has.
std::string Prover::key_text(const Say& key, std::uint16_t port) const {
  const JointClass& from = joint_.sources()[key.source()];
  const JointClass& to = joint_.destinations()[key.destination()];
  return fmt::format("{} {} > {} port {}", to_string(static_cast<IpProtocol>(key.protocol)),
                     address_of(from.example()).to_string(),
                     to.name.empty() ? address_of(to.example()).to_string() : to.name, port);
}

// What the gateway does not stand between it cannot keep apart.
void Prover::find_unenforceable() {
  std::map<std::tuple<std::uint16_t, std::uint16_t>, std::vector<std::uint32_t>> wires;
  for (std::uint32_t slot = 0; slot < view_.devices().size(); ++slot) {
    const wire::Device& d = view_.devices()[slot];
    if (d.valid() != 0) wires[{d.port(), d.vlan()}].push_back(slot);
  }
  for (const auto& [wire, slots] : wires) {
    const wire::Segment* segment = view_.segment(view_.devices()[slots.front()].segment());
    if (slots.size() < 2 || segment->isolated()) continue;
    NotEnforceable& one = out_.not_enforceable.emplace_back();
    one.segment = wire::text(segment->name());
    one.port = wire::text(view_.port(std::get<0>(wire))->name());
    one.vlan = std::get<1>(wire);
    for (const std::uint32_t slot : slots) one.devices.emplace_back(view_.device_name(slot));
  }
}

}  // namespace

std::string_view to_string(Wrong wrong) noexcept {
  switch (wrong) {
    case Wrong::kUndescribed:
      return "undescribed";
    case Wrong::kMissing:
      return "missing";
    case Wrong::kOtherRule:
      return "other-rule";
    case Wrong::kAmbiguous:
      return "ambiguous";
    case Wrong::kPlace:
      return "place";
    case Wrong::kIdentity:
      return "identity";
    case Wrong::kTermination:
      return "termination";
  }
  return "unknown";
}

Proof prove(const wire::SnapshotView& snapshot, const model::Gateway& gateway,
            std::optional<std::int32_t> today) {
  return Prover(snapshot, gateway, today).run();
}

}  // namespace sallyport::prove
