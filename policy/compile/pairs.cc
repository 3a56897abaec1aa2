#include "policy/compile/pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <map>
#include <set>

namespace sallyport::compile {
namespace {

using wire::RuleKind;

constexpr std::size_t kMaxOverlapsShown = 100;

// One rule's claim on one key. `rule` is its index in the plan, which is also its rank.
struct Entry {
  std::uint64_t key = 0;
  PortRange ports;
  std::uint32_t rule = 0;
};

ClassId source_of(std::uint64_t key) { return static_cast<ClassId>(key >> 40); }
ClassId destination_of(std::uint64_t key) { return static_cast<ClassId>(key >> 16) & 0xffffffU; }

class Tabulation {
 public:
  Tabulation(const Plan& plan, const ClassTable& classes, Report& report)
      : plan_(plan), classes_(classes), report_(report) {}

  PairTables run() {
    for (std::uint32_t rule = 0; rule < plan_.rules.size(); ++rule)
      if (!expand(rule)) return {};
    std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
      return std::tuple(a.key, a.ports.first, a.rule) < std::tuple(b.key, b.ports.first, b.rule);
    });
    for (std::size_t i = 0; i < entries_.size();) {
      std::size_t end = i + 1;
      while (end < entries_.size() && entries_[end].key == entries_[i].key) ++end;
      settle(std::span(entries_).subspan(i, end - i));
      i = end;
    }
    build_table();
    return std::move(out_);
  }

 private:
  struct List {
    std::uint64_t key;
    std::uint32_t first;
    std::uint32_t count;
  };
  using Piece = std::tuple<std::uint16_t, std::uint16_t, std::uint32_t>;  // first, last, rule slot

  bool expand(std::uint32_t index);
  bool fits(ClassId source, ClassId destination, IpProtocol protocol) const;
  void settle(std::span<const Entry> same_key);
  void judge(const Entry& a, const Entry& b);
  std::string witness(const Entry& a, const Entry& b) const;
  void list(std::uint64_t key, const std::vector<Piece>& pieces);
  void build_table();

  const Plan& plan_;
  const ClassTable& classes_;
  Report& report_;
  std::vector<Entry> entries_;
  std::vector<List> lists_;
  std::map<std::vector<Piece>, std::uint32_t> known_lists_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> judged_;
  PairTables out_;
};

// Both ends of a packet have one version, and each version its own ICMP.
bool Tabulation::fits(ClassId source, ClassId destination, IpProtocol protocol) const {
  const ClassInfo& from = classes_.sources[source];
  const ClassInfo& to = classes_.destinations[destination];
  if (to.name.empty() && from.v4 != to.v4) return false;
  if (protocol == IpProtocol::kIcmp) return from.v4;
  if (protocol == IpProtocol::kIcmp6) return !from.v4;
  return true;
}

bool Tabulation::expand(std::uint32_t index) {
  const PlannedRule& rule = plan_.rules[index];
  const std::size_t before = entries_.size();
  for (const Box& box : rule.boxes) {
    const std::size_t sources = classes_.sources_of[box.source].size();
    const std::size_t destinations = classes_.destinations_of[box.destination].size();
    if (sources * destinations * rule.transports.size() > wire::kMaxPairs - entries_.size()) {
      report_.error(
          rule.at, "too-complex",
          fmt::format("{}: {} sources by {} destinations are told apart by other conduits, "
                      "which is more than fits",
                      rule.name, sources, destinations),
          "name fewer single devices in conduits between these ends");
      return false;
    }
    for (const ClassId source : classes_.sources_of[box.source])
      for (const ClassId destination : classes_.destinations_of[box.destination])
        for (const Transport& t : rule.transports)
          if (fits(source, destination, t.protocol))
            entries_.push_back(
                {wire::pair_key(source, destination, static_cast<std::uint8_t>(t.protocol)),
                 t.ports, index});
  }
  if (entries_.size() == before)
    report_.warn(rule.at, "rule-without-effect",
                 fmt::format("{} permits nothing: its two ends share no IP version", rule.name));
  return true;
}

// Entries of one key, sorted by first port and rank, become disjoint pieces; where several hold,
// the first in rank gives its name to the packet.
void Tabulation::settle(std::span<const Entry> same_key) {
  std::vector<Piece> pieces;
  const auto slot_of = [&](const Entry& e) { return plan_.rules[e.rule].slot; };
  if (same_key.size() == 1) {
    const Entry& e = same_key[0];
    pieces.emplace_back(e.ports.first, e.ports.last, slot_of(e));
    return list(e.key, pieces);
  }
  std::set<std::uint32_t> points;  // where a piece may start
  for (const Entry& e : same_key) {
    points.insert(e.ports.first);
    points.insert(e.ports.last + 1U);
  }
  std::vector<const Entry*> open;
  std::size_t next = 0;
  for (auto point = points.begin(); std::next(point) != points.end(); ++point) {
    const auto first = static_cast<std::uint16_t>(*point);
    const auto last = static_cast<std::uint16_t>(*std::next(point) - 1);
    std::erase_if(open, [&](const Entry* e) { return e->ports.last < first; });
    for (; next < same_key.size() && same_key[next].ports.first == first; ++next) {
      for (const Entry* other : open) judge(*other, same_key[next]);
      open.push_back(&same_key[next]);
    }
    if (open.empty()) continue;
    const Entry* best = *std::min_element(open.begin(), open.end(),
                                          [](auto* a, auto* b) { return a->rule < b->rule; });
    const bool continues = !pieces.empty() && std::get<1>(pieces.back()) + 1 == first &&
                           std::get<2>(pieces.back()) == slot_of(*best);
    if (continues) {
      std::get<1>(pieces.back()) = last;
    } else {
      pieces.emplace_back(first, last, slot_of(*best));
    }
  }
  list(same_key[0].key, pieces);
}

void Tabulation::list(std::uint64_t key, const std::vector<Piece>& pieces) {
  const auto [at, fresh] =
      known_lists_.try_emplace(pieces, static_cast<std::uint32_t>(out_.ranges.size()));
  if (fresh)
    for (const auto& [first, last, rule] : pieces) out_.ranges.emplace_back(first, last, rule);
  lists_.push_back({key, at->second, static_cast<std::uint32_t>(pieces.size())});
}

std::string Tabulation::witness(const Entry& a, const Entry& b) const {
  const auto source = to_address(classes_.sources[source_of(a.key)].example);
  const ClassInfo& to = classes_.destinations[destination_of(a.key)];
  const auto protocol = static_cast<IpProtocol>(a.key & 0xff);
  const std::string destination = to.name.empty() ? to_address(to.example).to_string() : to.name;
  if (protocol == IpProtocol::kIcmp || protocol == IpProtocol::kIcmp6)
    return fmt::format("{} {} > {} echo", to_string(protocol), source.to_string(), destination);
  return fmt::format("{} {} > {} port {}", to_string(protocol), source.to_string(), destination,
                     std::max(a.ports.first, b.ports.first));
}

// Conduits are a set of permissions: two that meet must be the same in all but name and review.
// Leg B is implied by its conduit and only repeats what others may permit as well.
void Tabulation::judge(const Entry& x, const Entry& y) {
  const Entry& a = x.rule < y.rule ? x : y;
  const Entry& b = x.rule < y.rule ? y : x;
  const PlannedRule& first = plan_.rules[a.rule];
  const PlannedRule& second = plan_.rules[b.rule];
  if (a.rule == b.rule || first.kind == RuleKind::LegB || second.kind == RuleKind::LegB) return;
  const bool built_in = first.conduit == nullptr || second.conduit == nullptr;
  if (built_in && first.kind == second.kind) return;
  if (!built_in && first.behaviour == second.behaviour) return;
  if (!judged_.emplace(a.rule, b.rule).second || judged_.size() > kMaxOverlapsShown) return;
  if (built_in) {
    report_.error(first.at, "listener-hides-service",
                  fmt::format("conduit {} takes {} from the gateway's own service, for example {}",
                              first.name, second.name, witness(a, b)),
                  "listen on another port, or remove the service from the segment");
    return;
  }
  report_.error(second.at, "conduit-overlap",
                fmt::format("conduits {} (line {}) and {} (line {}) both decide {}", first.name,
                            first.at.line, second.name, second.at.line, witness(a, b)),
                "make the two the same in all but name, reason and review, or disjoint by "
                "addresses or ports");
}

void Tabulation::build_table() {
  if (lists_.empty()) return;
  for (std::size_t size = std::bit_ceil(2 * lists_.size());; size *= 2) {
    if (size > wire::kMaxTableSlots) {
      report_.error({}, "too-complex", "the pairs of addresses told apart do not fit",
                    "name fewer single devices in conduits");
      return;
    }
    out_.pairs.assign(size, wire::PairSlot());
    const std::size_t mask = size - 1;
    bool placed = true;
    for (const List& l : lists_) {
      std::size_t at = wire::pair_hash(l.key) & mask;
      std::size_t steps = 0;
      for (; out_.pairs[at].key() != 0; at = (at + 1) & mask) ++steps;
      placed &= steps < wire::kMaxProbe;
      out_.pairs[at] = wire::PairSlot(l.key, l.first, l.count);
    }
    if (placed) return;
  }
}

}  // namespace

PairTables tabulate(const Plan& plan, const ClassTable& classes, Report& report) {
  return Tabulation(plan, classes, report).run();
}

}  // namespace sallyport::compile
