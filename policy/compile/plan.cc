#include "policy/compile/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "policy/compile/compile.h"
#include "policy/compile/planner.h"
#include "policy/model/names.h"
#include "policy/wire/digest.h"

namespace sallyport::compile {
namespace {

using wire::RuleKind;

constexpr Transport kEcho4 = {IpProtocol::kIcmp, {8, 8}};
constexpr Transport kEcho6 = {IpProtocol::kIcmp6, {128, 128}};

bool is_echo(const model::ServiceSpec& service) {
  return service.protocol == IpProtocol::kIcmp || service.protocol == IpProtocol::kIcmp6;
}

std::string inspection_text(const model::Inspect& inspect) {
  if (!inspect.modbus) return "-";
  std::string out = "modbus";
  for (const std::uint8_t f : inspect.modbus->functions) out += fmt::format(" f{}", f);
  for (const std::uint8_t u : inspect.modbus->units) out += fmt::format(" u{}", u);
  return out;
}

std::string terminate_text(const model::Terminate& t) {
  return fmt::format("{} {} {} {} {} {} {} {} {} {}", static_cast<int>(t.side), t.listen_port,
                     static_cast<int>(t.client_auth), t.client_ca, t.certificate, t.server_name,
                     t.server_address ? t.server_address->to_string() : "-", t.server_port,
                     t.server_ca, t.listen_address ? t.listen_address->to_string() : "-");
}

}  // namespace

std::vector<Transport> transports_of(const model::ServiceSpec& service) {
  if (is_echo(service)) return {kEcho4, kEcho6};
  return {{service.protocol, service.ports}};
}

void Planner::error(const model::Conduit& conduit, const char* code, const std::string& what,
                    std::string hint) {
  report_.error(conduit.at, code, fmt::format("conduit {}: {}", conduit.name, what),
                std::move(hint));
}

Plan Planner::run() {
  for (const model::Conduit& conduit : input_.gateway.conduits) plan_conduit(conduit);
  check_names();
  for (std::size_t s = 0; s < input_.gateway.segments.size(); ++s)
    plan_services(input_.gateway.segments[s], s);
  for (PlannedRule& rule : late_) plan_.rules.push_back(std::move(rule));
  return std::move(plan_);
}

// Unreviewed and long expired conduits permit nothing. Without a trusted clock nothing expires.
bool Planner::review(const model::Conduit& conduit) {
  if (!conduit.review) {
    report_.warn(conduit.at, "conduit-unreviewed",
                 fmt::format("conduit {} is not reviewed and permits nothing", conduit.name),
                 "add `review: { by, on, expires, reason }`");
    return false;
  }
  if (!conduit.review->stands) return false;  // policy/review has said why
  if (!input_.today || conduit.review->expires_day == 0) return true;
  const std::int32_t grace =
      input_.gateway.review_rules.on_expiry == model::OnExpiry::kDeny ? 0 : kReviewGraceDays;
  const std::int32_t left = conduit.review->expires_day - *input_.today;
  if (left >= 0) return true;
  if (-left <= grace) {
    report_.warn(conduit.at, "review-expired",
                 fmt::format("conduit {}: its review ended {} days ago; it permits nothing in {} "
                             "days",
                             conduit.name, -left, grace + left + 1),
                 "review it again");
    return true;
  }
  report_.warn(conduit.at, "review-lapsed",
               fmt::format("conduit {}: its review ended {} days ago and it permits nothing",
                           conduit.name, -left),
               "review it again");
  return false;
}

void Planner::check_service(const model::Conduit& conduit) {
  const model::ServiceSpec& service = conduit.service;
  if (is_echo(service)) return;
  if (service.protocol != IpProtocol::kTcp && service.protocol != IpProtocol::kUdp)
    error(conduit, "bad-service", "its protocol is not carried", "write tcp, udp or icmp-echo");
  if (service.ports.first == 0 || service.ports.first > service.ports.last)
    error(conduit, "bad-service",
          fmt::format("ports {}-{} are no range", service.ports.first, service.ports.last),
          "write a port from 1 to 65535, or first-last");
}

void Planner::plan_conduit(const model::Conduit& conduit) {
  PlannedConduit planned;
  planned.conduit = &conduit;
  planned.enforced = review(conduit);
  planned.summary = summary_of(conduit);
  if (const auto slot = slots_.conduit(conduit.name)) {
    planned.slot = *slot;
  } else {
    error(conduit, "too-complex", "no slot is left", "apply the removal of other conduits first");
  }
  check_service(conduit);
  check_bounds(conduit);
  auto from = resolve(input_, conduit, conduit.from, "from", report_);
  auto to = resolve(input_, conduit, conduit.to, "to", report_);
  if (!from || !to) return;
  if (!from->own.empty()) {
    error(conduit, "gateway-by-address", "`from` is an address of the gateway's own",
          "write `from: gateway`");
    return;
  }
  if (from->gateway && to->gateway) {
    error(conduit, "gateway-to-itself", "both ends are the gateway",
          "name another device at one end");
    return;
  }
  Work work{.conduit = conduit,
            .from = *std::move(from),
            .to = *std::move(to),
            .planned = std::move(planned),
            .rules = {}};
  if (conduit.terminate || conduit.inspect.modbus) {
    plan_terminated(work);
  } else if (work.from.gateway) {
    plan_from_gateway(work);
  } else if (work.to.gateway) {
    plan_to_gateway(work);
  } else {
    plan_direct(work);
  }
  if (work.planned.enforced) {
    for (PlannedRule& rule : work.rules) keep(std::move(rule), &work.planned);
    note_resolver(work);
  }
  plan_.conduits.push_back(std::move(work.planned));
}

PlannedRule& Planner::add_rule(Work& work, RuleKind kind, std::vector<Transport> transports) {
  work.rules.push_back({.name = work.conduit.name,
                        .kind = kind,
                        .conduit = &work.conduit,
                        .at = work.conduit.at,
                        .transports = std::move(transports),
                        .boxes = {},
                        .behaviour = {},
                        .slot = 0,
                        .listener_port = 0});
  return work.rules.back();
}

void Planner::add_box(PlannedRule& rule, const AddressSet& source, const AddressSet& destination) {
  if (source.empty() || destination.empty()) return;
  rule.boxes.push_back({plan_.sets.intern(source), plan_.sets.intern(destination)});
}

void Planner::add_named_box(PlannedRule& rule, const AddressSet& source, const std::string& name) {
  if (source.empty()) return;
  rule.boxes.push_back({plan_.sets.intern(source), plan_.sets.intern_name(name)});
}

std::string Planner::behaviour_of(const PlannedRule& rule, const PlannedConduit* planned) {
  std::string out = fmt::format("{}\n", static_cast<int>(rule.kind));
  for (const Transport& t : rule.transports)
    out += fmt::format("{} {}-{}\n", static_cast<int>(t.protocol), t.ports.first, t.ports.last);
  std::vector<std::string> boxes;
  for (const Box& box : rule.boxes)
    boxes.push_back(plan_.sets.digest(box.source) + ">" + plan_.sets.digest(box.destination));
  std::sort(boxes.begin(), boxes.end());
  for (const std::string& box : boxes) out += box + "\n";
  if (rule.conduit == nullptr) return out;
  const model::Conduit& c = *rule.conduit;
  out += fmt::format("{} {} {} {}\n", c.plaintext_accepted, c.admission.inflight,
                     c.admission.rate_per_s, c.admission.per_device_per_s);
  if (!c.timeouts.none()) out += fmt::format("{}\n", fmt::join(c.timeouts.seconds, " "));
  out += inspection_text(c.inspect) + "\n";
  if (c.terminate) out += terminate_text(*c.terminate) + "\n";
  if (planned != nullptr && planned->termination) {
    const PlannedTermination& t = *planned->termination;
    out += fmt::format("{} {} {}", input_.gateway.segments[t.server_segment].name, t.server_name,
                       t.server_port);
    for (const IpAddress& a : t.server_addresses) out += " " + a.to_string();
  }
  return out;
}

void Planner::keep(PlannedRule rule, const PlannedConduit* planned) {
  rule.behaviour = behaviour_of(rule, planned);
  const auto slot = slots_.rule(rule_key(rule.name, rule.kind));
  if (!slot) {
    report_.error(rule.at, "too-complex", "no rule slot is left",
                  "apply the removal of other conduits first");
    return;
  }
  rule.slot = *slot;
  (rule.kind == RuleKind::LegB ? late_ : plan_.rules).push_back(std::move(rule));
}

void Planner::plan_direct(Work& work) {
  if (!work.to.own.empty()) {
    error(work.conduit, "gateway-by-address", "`to` is an address of the gateway's own",
          "write `to: gateway`");
    return;
  }
  const AddressSet source = work.from.all_hosts();
  PlannedRule& rule = add_rule(work, RuleKind::Direct, transports_of(work.conduit.service));
  if (work.to.name.empty()) {
    add_box(rule, source, work.to.all_hosts());
  } else {
    add_named_box(rule, source, work.to.name);
    for (const auto& [segment, set] : work.from.hosts) {
      if (work.planned.enforced)
        direct_names_.emplace(std::pair(segment, work.to.name), &work.conduit);
      if ((input_.gateway.segments[segment].services & model::kDns) == 0)
        report_.warn(
            work.conduit.at, "name-without-resolver",
            fmt::format("conduit {}: segment {} offers no dns, so {} is never learned",
                        work.conduit.name, input_.gateway.segments[segment].name, work.to.name),
            "add `dns` to the segment's services");
    }
  }
  check_plaintext(work, true, true, std::nullopt);
}

void Planner::plan_from_gateway(Work& work) {
  PlannedRule& rule = add_rule(work, RuleKind::HostService, transports_of(work.conduit.service));
  if (!work.to.own.empty()) {
    error(work.conduit, "gateway-to-itself", "both ends are the gateway",
          "name another device at one end");
    return;
  }
  const auto from_segment = [&](std::size_t segment) -> const AddressSet& {
    if (input_.geography.own(segment).empty())
      error(work.conduit, "segment-without-address",
            fmt::format("the gateway has no address on segment {}",
                        input_.gateway.segments[segment].name),
            "give the segment an `address`");
    return input_.geography.own(segment);
  };
  for (const auto& [segment, set] : work.to.hosts) add_box(rule, from_segment(segment), set);
  if (!work.to.name.empty()) {
    AddressSet own;
    for (const IpVersion v : {IpVersion::k4, IpVersion::k6})
      if (const auto route = input_.geography.default_route(v))
        own = own.unite(input_.geography.own(*route));
    if (own.empty())
      error(work.conduit, "no-uplink", fmt::format("no uplink leads to {}", work.to.name),
            "give an uplink a `gateway:`");
    add_named_box(rule, own, work.to.name);
  }
  check_plaintext(work, true, true, std::nullopt);
}

void Planner::check_nat_ports(const model::Conduit& conduit, std::size_t segment, PortRange ports) {
  if (!input_.gateway.segments[segment].napt44 || ports.first > wire::kLastNatPort ||
      ports.last < wire::kFirstNatPort)
    return;
  error(conduit, "nat-ports",
        fmt::format("ports {} to {} of segment {} stand for inside addresses (`napt44:`)",
                    wire::kFirstNatPort, wire::kLastNatPort, input_.gateway.segments[segment].name),
        "choose ports outside that range");
}

void Planner::plan_to_gateway(Work& work) {
  const PortRange ports = work.conduit.service.ports;
  if (!is_echo(work.conduit.service) && ports.first <= wire::kLastListenerPort &&
      ports.last >= wire::kFirstListenerPort)
    error(work.conduit, "listener-ports",
          fmt::format("ports {} to {} of the gateway are the terminator's",
                      wire::kFirstListenerPort, wire::kLastListenerPort),
          "choose ports outside that range");
  PlannedRule& rule = add_rule(work, RuleKind::HostService, transports_of(work.conduit.service));
  for (const auto& [segment, set] : work.from.hosts) {
    if (input_.geography.own(segment).empty())
      error(work.conduit, "segment-without-address",
            fmt::format("the gateway has no address on segment {}",
                        input_.gateway.segments[segment].name),
            "give the segment an `address`");
    if (!is_echo(work.conduit.service)) check_nat_ports(work.conduit, segment, ports);
    add_box(rule, set, input_.geography.own(segment));
  }
  check_plaintext(work, true, true, std::nullopt);
}

// 2.4.7.13, 2.4.7.14: a plaintext protocol on an uplink's wire needs the operator's word.
void Planner::check_plaintext(const Work& work, bool client_leg_plain, bool server_leg_plain,
                              std::optional<std::size_t> server_segment) {
  const model::Conduit& c = work.conduit;
  if (!c.service.plaintext || c.plaintext_accepted) return;
  const auto is_uplink = [&](std::size_t segment) {
    return input_.gateway.segments[segment].role == model::Role::kUplink;
  };
  bool exposed = false;
  if (client_leg_plain)
    for (const auto& [segment, set] : work.from.hosts) exposed |= is_uplink(segment);
  if (server_leg_plain) {
    if (server_segment) {
      exposed |= is_uplink(*server_segment);
    } else {
      for (const auto& [segment, set] : work.to.hosts) exposed |= is_uplink(segment);
      exposed |= !work.to.name.empty();
    }
  }
  if (exposed)
    error(c, "plaintext-on-uplink",
          fmt::format("{} is plaintext and crosses an uplink", c.service.text),
          "add `terminate: ...`, or `plaintext: accepted` with the reason in `review`");
}

// The DNS servers that the terminator may ask are those the gateway has a conduit to.
void Planner::note_resolver(const Work& work) {
  if (!work.from.gateway || is_echo(work.conduit.service) ||
      !work.conduit.service.ports.contains(53))
    return;
  for (const auto& [segment, set] : work.to.hosts)
    for (const AddressRange& range : set.ranges())
      for (AddressNumber n = range.first; n <= range.last && plan_.resolvers.size() < 16; ++n) {
        const IpAddress address = to_address(n);
        if (std::find(plan_.resolvers.begin(), plan_.resolvers.end(), address) ==
            plan_.resolvers.end())
          plan_.resolvers.push_back(address);
      }
}

// A resolver's answer is either the virtual address or the true one, never both.
void Planner::check_names() {
  for (const auto& [key, conduit] : direct_names_) {
    const auto at = virtual_names_.find(key);
    if (at == virtual_names_.end()) continue;
    error(
        *conduit, "name-both-ways",
        fmt::format("in segment {} {} is answered with a virtual address for conduit {} (line {})",
                    input_.gateway.segments[key.first].name, key.second, at->second->name,
                    at->second->at.line),
        "terminate both, or write `address:` in one of the two");
  }
}

void Planner::plan_services(const model::Segment& segment, std::size_t index) {
  struct BuiltIn {
    model::Service bit;
    const char* name;
    std::vector<Transport> transports;
  };
  const BuiltIn built_ins[] = {
      {model::kDns, "dns", {{IpProtocol::kTcp, {53, 53}}, {IpProtocol::kUdp, {53, 53}}}},
      {model::kNtp, "ntp", {{IpProtocol::kUdp, {123, 123}}}},
      {model::kPing, "ping", {kEcho4, kEcho6}},
  };
  for (const BuiltIn& built_in : built_ins) {
    if ((segment.services & built_in.bit) == 0) continue;
    PlannedRule rule{.name = fmt::format("builtin:{}:{}", built_in.name, segment.name),
                     .kind = RuleKind::HostService,
                     .conduit = nullptr,
                     .at = segment.at,
                     .transports = built_in.transports,
                     .boxes = {},
                     .behaviour = {},
                     .slot = 0,
                     .listener_port = 0};
    add_box(rule, input_.geography.hosts(index), input_.geography.own(index));
    if (rule.boxes.empty())
      report_.error(segment.at, "segment-without-address",
                    fmt::format("segment {} offers {} but the gateway has no address there",
                                segment.name, built_in.name),
                    "give the segment an `address`, or remove the service");
    keep(std::move(rule), nullptr);
  }
}

Plan plan_rules(const PlanInput& input, SlotBook& slots, Report& report) {
  return Planner(input, slots, report).run();
}

}  // namespace sallyport::compile
