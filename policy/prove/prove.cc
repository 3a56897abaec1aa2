#include "policy/prove/prove.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "policy/explain/candidates.h"
#include "policy/prove/described.h"
#include "policy/prove/joint.h"
#include "policy/prove/parts.h"

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

class Prover {
 public:
  Prover(const wire::SnapshotView& view, const model::Gateway& gateway,
         std::optional<std::int32_t> today)
      : view_(view),
        classifier_(view),
        gateway_(gateway),
        described_(gateway, today, view, faults_),
        joint_(view, described_) {}

  Proof run() {
    out_.revision = view_.revision();
    out_.intervals = joint_.starts().size();
    for (std::string& fault : faults_) differ(Wrong::kTermination, std::move(fault), std::nullopt);
    compare_places();
    for (Difference& d : part_differences(view_, gateway_))
      differ(d.wrong, std::move(d.text), std::nullopt);
    compare_rules();
    find_unenforceable();
    return std::move(out_);
  }

 private:
  void differ(Wrong wrong, std::string text, std::optional<explain::Question> witness) {
    if (out_.differences.size() == kMaxDifferences) {
      ++out_.differences_omitted;
      return;
    }
    out_.differences.push_back({wrong, std::move(text), std::move(witness)});
  }

  void compare_places();
  void compare_rules();
  void compare_key(std::span<const Say> says);
  void compare_port(const Say& key, std::uint16_t port, const Say* compiled,
                    const std::vector<const Say*>& described);
  bool ambiguous(const std::vector<const Say*>& described) const;
  void find_unenforceable();
  std::vector<Say> compiled_says() const;
  std::vector<Say> described_says() const;
  explain::Question witness(const Say& key, std::uint16_t port) const;
  std::string packet_text(const Say& key, std::uint16_t port) const;
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
  Proof out_;
};

void Prover::compare_places() {
  for (const Number n : joint_.starts()) {
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
        std::nullopt);
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

// At each port where either side begins or ends, and so at every port.
void Prover::compare_key(std::span<const Say> says) {
  std::set<std::uint32_t> points;
  for (const Say& s : says) {
    points.insert(s.ports.first);
    points.insert(s.ports.last + 1U);
  }
  for (const std::uint32_t point : points) {
    if (point > 0xffff) continue;
    const auto port = static_cast<std::uint16_t>(point);
    const Say* compiled = nullptr;
    std::vector<const Say*> described;
    for (const Say& s : says) {
      if (!s.ports.contains(port)) continue;
      if (s.described == nullptr) {
        compiled = &s;
      } else {
        described.push_back(&s);
      }
    }
    compare_port(says.front(), port, compiled, described);
  }
}

// Conduits that differ in anything but name and review, and would both carry this packet.
bool Prover::ambiguous(const std::vector<const Say*>& described) const {
  const DescribedBox* first = nullptr;
  for (const Say* s : described) {
    const DescribedBox& box = *s->described;
    if (box.kind == RuleKind::LegB) continue;
    if (first == nullptr) {
      first = &box;
      continue;
    }
    if (box.kind != first->kind) return true;
    if (box.conduit == first->conduit || box.conduit == nullptr || first->conduit == nullptr)
      continue;
    const model::Conduit& a = *first->conduit;
    const model::Conduit& b = *box.conduit;
    const bool same = box.source == first->source && box.destination == first->destination &&
                      box.name == first->name && box.transport == first->transport &&
                      a.plaintext_accepted == b.plaintext_accepted &&
                      a.terminate.has_value() == b.terminate.has_value() &&
                      a.inspect.modbus.has_value() == b.inspect.modbus.has_value() &&
                      a.admission.inflight == b.admission.inflight &&
                      a.admission.rate_per_s == b.admission.rate_per_s &&
                      a.admission.per_device_per_s == b.admission.per_device_per_s;
    if (!same) return true;
  }
  return false;
}

void Prover::compare_port(const Say& key, std::uint16_t port, const Say* compiled,
                          const std::vector<const Say*>& described) {
  const auto tell = [&](Wrong wrong, const std::string& what) {
    differ(wrong, fmt::format("{}: {}", packet_text(key, port), what), witness(key, port));
  };
  if (compiled == nullptr && described.empty()) return;
  if (compiled == nullptr)
    return tell(Wrong::kMissing,
                fmt::format("described by {} but denied", described.front()->described->rule));
  const std::string rule(view_.rule_name(compiled->rule));
  const RuleKind kind = view_.rules()[compiled->rule].kind();
  if (described.empty())
    return tell(Wrong::kUndescribed, fmt::format("permitted by {} but nobody described it", rule));
  const bool known = std::any_of(described.begin(), described.end(), [&](const Say* s) {
    return s->described->rule == rule && s->described->kind == kind;
  });
  if (!known)
    return tell(Wrong::kOtherRule,
                fmt::format("permitted as {} ({}), described as {} ({})", rule,
                            explain::kind_text(kind), described.front()->described->rule,
                            explain::kind_text(described.front()->described->kind)));
  if (ambiguous(described))
    tell(Wrong::kAmbiguous, fmt::format("{} was chosen among conduits that differ", rule));
}

explain::Question Prover::witness(const Say& key, std::uint16_t port) const {
  const JointClass& from = joint_.sources()[key.source_destination >> 32];
  const JointClass& to = joint_.destinations()[key.source_destination & 0xffffffffU];
  explain::Question out;
  out.tuple.source = address_of(from.example);
  out.tuple.destination = address_of(to.example);
  out.tuple.protocol = key.protocol;
  out.tuple.source_port = 40000;
  out.tuple.destination_port = port;
  if (!to.name.empty()) {
    // Some host beyond an uplink stands for what the name will be.
    out.names = {to.name};
    for (const Number n : joint_.starts()) {
      const IpAddress a = address_of(n);
      if (a.is_v4() == from.v4 && classifier_.may_be_named(classifier_.locate(a)))
        out.tuple.destination = a;
    }
  }
  const decide::Location place = classifier_.locate(out.tuple.source);
  out.segment = place.segment;
  out.origin = place.is_gateway() ? decide::Origin::kHostStack : decide::Origin::kWire;
  return out;
}

std::string Prover::packet_text(const Say& key, std::uint16_t port) const {
  const JointClass& from = joint_.sources()[key.source_destination >> 32];
  const JointClass& to = joint_.destinations()[key.source_destination & 0xffffffffU];
  return fmt::format("protocol {} {} > {} port {}", key.protocol,
                     address_of(from.example).to_string(),
                     to.name.empty() ? address_of(to.example).to_string() : to.name, port);
}

// What the gateway does not stand between it cannot keep apart.
void Prover::find_unenforceable() {
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> groups;
  for (const model::Device& d : gateway_.devices)
    groups[{d.segment, d.where.port}].push_back(d.name);
  for (auto& [key, devices] : groups) {
    const wire::Segment* segment = view_.segment(std::string_view(key.first));
    if (devices.size() < 2 || segment == nullptr || segment->isolated()) continue;
    out_.not_enforceable.push_back({key.first, key.second, std::move(devices)});
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
