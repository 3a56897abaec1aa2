#include "policy/explain/candidates.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::explain {
namespace {

// How near a rule comes to the packet, gathered from every entry of the tables that names it.
struct Nearness {
  bool source = false;
  bool destination = false;
  bool both = false;
  bool protocol = false;
  bool port = false;
};

WhyNot why_not(const Nearness& n, bool decided) {
  if (decided) return WhyNot::kMatched;
  if (n.port) return WhyNot::kShadowed;
  if (n.protocol) return WhyNot::kPort;
  if (n.both) return WhyNot::kProtocol;
  if (n.source && n.destination) return WhyNot::kEnds;
  return n.source ? WhyNot::kDestination : WhyNot::kSource;
}

std::string protocol_text(std::uint8_t protocol) {
  switch (static_cast<IpProtocol>(protocol)) {
    case IpProtocol::kTcp:
    case IpProtocol::kUdp:
    case IpProtocol::kIcmp:
    case IpProtocol::kIcmp6:
      return std::string(to_string(static_cast<IpProtocol>(protocol)));
  }
  return fmt::format("protocol {}", protocol);
}

class Search {
 public:
  Search(const wire::SnapshotView& snapshot, const Ends& ends)
      : view_(snapshot), ends_(ends), near_(snapshot.rules().size()), permits_(near_.size()) {}

  void run(Explanation& out) {
    for (const wire::PairSlot& pair : view_.pairs())
      if (pair.key() != 0) visit(pair);
    if (ends_.decided_by < near_.size()) near_[ends_.decided_by].source = true;
    for (std::uint32_t rule = 0; rule < near_.size(); ++rule)
      if (near_[rule].source || near_[rule].destination) add(rule, out);
    std::stable_sort(out.candidates.begin(), out.candidates.end(),
                     [](const Candidate& a, const Candidate& b) { return a.why < b.why; });
    add_unreviewed(out);
    if (out.candidates.size() > kMaxCandidates) {
      out.candidates_omitted = out.candidates.size() - kMaxCandidates;
      out.candidates.resize(kMaxCandidates);
    }
  }

 private:
  void visit(const wire::PairSlot& pair) {
    const auto source = static_cast<std::uint32_t>(pair.key() >> 40);
    const auto destination = static_cast<std::uint32_t>(pair.key() >> 16) & 0xffffffU;
    const auto protocol = static_cast<std::uint8_t>(pair.key());
    const bool from = source == ends_.source_class;
    const bool to = std::find(ends_.destination_classes.begin(), ends_.destination_classes.end(),
                              destination) != ends_.destination_classes.end();
    if (!from && !to) return;
    for (const wire::RangeRule& range : view_.ranges().subspan(pair.first(), pair.count())) {
      Nearness& n = near_[range.rule()];
      n.source |= from;
      n.destination |= to;
      if (!from || !to) continue;
      n.both = true;
      note(range.rule(), protocol, range);
      if (protocol != ends_.protocol) continue;
      n.protocol = true;
      n.port |= range.first_port() <= ends_.port && ends_.port <= range.last_port();
    }
  }

  void note(std::uint32_t rule, std::uint8_t protocol, const wire::RangeRule& range) {
    const std::string text = range.first_port() == range.last_port()
                                 ? fmt::format("{} {}", protocol_text(protocol), range.first_port())
                                 : fmt::format("{} {}-{}", protocol_text(protocol),
                                               range.first_port(), range.last_port());
    std::string& known = permits_[rule];
    if (known.find(text) == std::string::npos && known.size() < 200)
      known += known.empty() ? text : ", " + text;
  }

  void add(std::uint32_t slot, Explanation& out) const {
    const wire::Rule& rule = view_.rules()[slot];
    Candidate c{.name = std::string(view_.rule_name(slot)),
                .summary = {},
                .kind = std::string(kind_text(rule.kind())),
                .line = 0,
                .column = 0,
                .why = why_not(near_[slot], slot == ends_.decided_by),
                .detail = {}};
    if (const wire::Conduit* conduit = view_.conduit(rule.conduit())) {
      c.summary = std::string(wire::text(conduit->summary()));
      c.line = conduit->line();
      c.column = conduit->column();
    }
    if (!permits_[slot].empty()) c.detail = "between these ends it permits " + permits_[slot];
    out.candidates.push_back(std::move(c));
  }

  void add_unreviewed(Explanation& out) const {
    for (const wire::Conduit* conduit : *view_.root().conduits()) {
      if (conduit->reviewed()) continue;
      out.candidates.push_back({.name = std::string(wire::text(conduit->name())),
                                .summary = std::string(wire::text(conduit->summary())),
                                .kind = {},
                                .line = conduit->line(),
                                .column = conduit->column(),
                                .why = WhyNot::kUnreviewed,
                                .detail = "it permits nothing until it is reviewed"});
    }
  }

  const wire::SnapshotView& view_;
  const Ends& ends_;
  std::vector<Nearness> near_;
  std::vector<std::string> permits_;
};

}  // namespace

std::string_view kind_text(wire::RuleKind kind) noexcept {
  switch (kind) {
    case wire::RuleKind::Direct:
      return "direct";
    case wire::RuleKind::Terminate:
      return "leg-a";
    case wire::RuleKind::LegB:
      return "leg-b";
    case wire::RuleKind::HostService:
      return "host";
  }
  return "unknown";
}

std::string_view to_string(WhyNot why) noexcept {
  switch (why) {
    case WhyNot::kMatched:
      return "matched";
    case WhyNot::kShadowed:
      return "also-permits";
    case WhyNot::kPort:
      return "wrong-port";
    case WhyNot::kProtocol:
      return "wrong-protocol";
    case WhyNot::kEnds:
      return "ends-not-together";
    case WhyNot::kDestination:
      return "wrong-destination";
    case WhyNot::kSource:
      return "wrong-source";
    case WhyNot::kUnreviewed:
      return "unreviewed";
  }
  return "unknown";
}

void find_candidates(const wire::SnapshotView& snapshot, const Ends& ends, Explanation& out) {
  Search(snapshot, ends).run(out);
}

}  // namespace sallyport::explain
