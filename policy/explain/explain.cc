#include "policy/explain/explain.h"

#include <fmt/format.h>

#include "policy/decide/names.h"
#include "policy/decide/plausible.h"
#include "policy/explain/candidates.h"
#include "policy/explain/question.h"

namespace sallyport::explain {
namespace {

using decide::Classifier;
using decide::Ingress;
using decide::Location;
using decide::Origin;
using wire::RuleKind;

class Teller {
 public:
  Teller(const wire::SnapshotView& view, const Question& question, const Live* live)
      : view_(view), classifier_(view), names_(view), q_(question), live_(live) {}

  Explanation run() {
    out_.revision = view_.revision();
    out_.config_name = std::string(wire::text(view_.root().config_name()));
    out_.packet = packet_text(q_.tuple);
    if (const std::optional<Drop> never = unparsable()) {
      step("parse", std::string(to_string(*never)), "no such packet gets past the parser");
      deny(*never);
      return std::move(out_);
    }
    const std::optional<Ingress> ingress = bind();
    if (!ingress) return std::move(out_);
    std::vector<std::uint32_t> classes;
    for (const std::string& name : q_.names) tell_name(name, classes);
    const decide::Verdict verdict = classifier_.classify(*ingress, q_.tuple, classes);
    tell_place("source", q_.tuple.source, verdict.source);
    tell_place("destination", q_.tuple.destination, verdict.destination);
    tell_candidates(verdict, classes);
    if (verdict_before_flows(*ingress)) return std::move(out_);
    if (live_ != nullptr && tell_flow()) return std::move(out_);
    if (const std::optional<Drop> obstacle = first_packet(*ingress, verdict)) {
      deny(*obstacle);
    } else {
      tell_allowed(*ingress, verdict);
    }
    return std::move(out_);
  }

 private:
  std::string segment_text(std::uint16_t slot) const {
    const wire::Segment* segment = view_.segment(slot);
    return segment == nullptr ? std::string("nowhere") : std::string(wire::text(segment->name()));
  }
  std::string port_text(std::uint16_t slot, std::uint16_t vlan) const {
    const wire::Port* port = view_.port(slot);
    const std::string name =
        port == nullptr ? fmt::format("port {}", slot) : std::string(wire::text(port->name()));
    return vlan == 0 ? name : fmt::format("{} VLAN {}", name, vlan);
  }
  void step(const char* stage, std::string outcome, std::string detail) {
    out_.steps.push_back({stage, std::move(outcome), std::move(detail)});
  }
  void deny(Drop reason) {
    out_.reason = std::string(to_string(reason));
    out_.help = std::string(kDropInfo[static_cast<std::size_t>(reason)].help);
    step("decision", "deny", fmt::format("{}: {}", out_.reason, out_.help));
  }

  std::optional<Ingress> bind();
  std::optional<Ingress> bind_frame(std::uint16_t port, std::uint16_t vlan, const MacAddress& mac,
                                    const char* how);
  void tell_place(const char* stage, const IpAddress& address, const Location& place);
  void tell_name(const std::string& name, std::vector<std::uint32_t>& classes);
  void tell_candidates(const decide::Verdict& verdict, const std::vector<std::uint32_t>& classes);
  bool is_tcp() const { return q_.tuple.protocol == static_cast<std::uint8_t>(IpProtocol::kTcp); }
  bool has_ports() const {
    return is_tcp() || q_.tuple.protocol == static_cast<std::uint8_t>(IpProtocol::kUdp);
  }
  std::optional<Drop> unparsable() const;
  bool verdict_before_flows(const Ingress& ingress);
  bool tell_flow();
  std::optional<Drop> first_packet(const Ingress& ingress, const decide::Verdict& verdict);
  const wire::Segment* maps_through(const Ingress& ingress, const decide::Verdict& verdict) const;
  std::optional<Drop> map(const Ingress& ingress, const decide::Verdict& verdict);
  std::optional<Drop> admit(const decide::Decision& decision);
  void name_rule(std::uint32_t slot);
  void tell_allowed(const Ingress& ingress, const decide::Verdict& verdict);
  void say_allowed();

  const wire::SnapshotView& view_;
  const Classifier classifier_;
  const decide::Names names_;
  const Question& q_;
  const Live* const live_;  // nullptr: there is none
  Explanation out_;
};

std::optional<Ingress> Teller::bind_frame(std::uint16_t port, std::uint16_t vlan,
                                          const MacAddress& mac, const char* how) {
  const decide::Binding binding = classifier_.bind(port, vlan, mac, q_.tuple.source);
  const std::string where = fmt::format("{} on {}{}", mac.to_string(), port_text(port, vlan), how);
  if (binding.refused) {
    const wire::Device* owner = classifier_.device(binding.owner);
    step("binding", std::string(to_string(*binding.refused)),
         owner == nullptr ? where
                          : fmt::format("{}; this identity is {}'s, enrolled on {}", where,
                                        view_.device_name(binding.owner),
                                        port_text(owner->port(), owner->vlan())));
    deny(*binding.refused);
    return std::nullopt;
  }
  const std::string device(view_.device_name(binding.device));
  step("binding", device.empty() ? segment_text(binding.segment) : device,
       fmt::format("{}, segment {}", where, segment_text(binding.segment)));
  return Ingress{binding.segment, Origin::kWire, binding.device};
}

std::optional<Ingress> Teller::bind() {
  if (q_.origin == Origin::kHostStack) {
    step("binding", "gateway", fmt::format("from the host stack of {}", segment_text(q_.segment)));
    return Ingress{q_.segment, Origin::kHostStack, wire::kNoDevice};
  }
  if (q_.port && q_.mac) return bind_frame(*q_.port, q_.vlan, *q_.mac, "");
  const std::uint32_t owner = classifier_.locate(q_.tuple.source).device;
  if (const wire::Device* device = classifier_.device(owner);
      device != nullptr && device->segment() == q_.segment)
    return bind_frame(q_.port.value_or(device->port()), q_.port ? q_.vlan : device->vlan(),
                      q_.mac.value_or(wire::to_mac(device->mac())), " (as enrolled)");
  const wire::Segment* segment = view_.segment(q_.segment);
  if (segment != nullptr && segment->role() == wire::Role::Devices) {
    step("binding", std::string(to_string(Drop::kUnknownDevice)),
         fmt::format("no device of segment {} has {}", segment_text(q_.segment),
                     q_.tuple.source.to_string()));
    deny(Drop::kUnknownDevice);
    return std::nullopt;
  }
  step("binding", segment_text(q_.segment), "no device table here; the way back is checked");
  return Ingress{q_.segment, Origin::kWire, wire::kNoDevice};
}

void Teller::tell_place(const char* stage, const IpAddress& address, const Location& place) {
  const std::string a = address.to_string();
  if (place.is_virtual())
    return step(stage, "virtual", fmt::format("{} stands for a name of a terminated conduit", a));
  if (place.nowhere()) return step(stage, "nowhere", fmt::format("{} is never forwarded", a));
  const std::string segment = segment_text(place.segment);
  if (place.is_gateway())
    return step(stage, "gateway", fmt::format("{} is the gateway's own in {}", a, segment));
  if (place.is_device())
    return step(stage, std::string(view_.device_name(place.device)),
                fmt::format("{} is {}'s in {}", a, view_.device_name(place.device), segment));
  step(stage, segment, fmt::format("{} is in {}, no enrolled device's", a, segment));
}

void Teller::tell_name(const std::string& name, std::vector<std::uint32_t>& classes) {
  const auto found = names_.destination_class(std::string_view(name));
  if (found) classes.push_back(*found);
  step("name", name, found ? "the destination was learned under this name" : "no conduit names it");
}

void Teller::tell_candidates(const decide::Verdict& verdict,
                             const std::vector<std::uint32_t>& classes) {
  Ends ends{.source_class = verdict.source.source_class,
            .destination_classes = {},
            .protocol = q_.tuple.protocol,
            .port = q_.tuple.destination_port,
            .decided_by = verdict.decision.allowed() ? verdict.decision.rule() : wire::kNoRule};
  if (verdict.destination.destination_class != 0)
    ends.destination_classes.push_back(verdict.destination.destination_class);
  if (classifier_.may_be_named(verdict.destination))
    ends.destination_classes.insert(ends.destination_classes.end(), classes.begin(), classes.end());
  find_candidates(view_, ends, out_);
}

std::optional<Drop> Teller::unparsable() const {
  const decide::Tuple& t = q_.tuple;
  if (const auto bad = decide::implausible_addresses(t.source, t.destination)) return bad;
  const bool echo = t.protocol == static_cast<std::uint8_t>(t.source.is_v4() ? IpProtocol::kIcmp
                                                                             : IpProtocol::kIcmp6);
  if (!has_ports() && !echo) return Drop::kIpProtocol;
  if (has_ports() && (t.source_port == 0 || t.destination_port == 0)) return Drop::kPortZero;
  if (is_tcp() && !tcp_flags_possible(q_.tcp_flags)) return Drop::kTcpFlags;
  return std::nullopt;
}

// What the dataplane decides before it looks for a flow: the segment's address service, and ends
// between which there is none.
bool Teller::verdict_before_flows(const Ingress& ingress) {
  const decide::Tuple& t = q_.tuple;
  const wire::Segment* segment = view_.segment(ingress.segment);
  const bool from_host = ingress.origin == Origin::kHostStack;
  // On device segments binding has told already; a link-local source is not in the tables.
  if ((from_host || ingress.device == wire::kNoDevice) && !t.source.is_link_local())
    if (const auto refused = classifier_.misplaced(ingress, classifier_.locate(t.source))) {
      deny(*refused);
      return true;
    }
  const bool udp = has_ports() && !is_tcp();
  const bool asks =
      udp && decide::asks_for_address(t.source.version(), t.source_port, t.destination_port);
  const bool answers =
      udp && decide::answers_with_address(t.source.version(), t.source_port, t.destination_port);
  if (answers || (asks && (from_host || classifier_.locate(t.destination).is_gateway()))) {
    const bool offered = segment != nullptr && segment->role() != wire::Role::Uplink &&
                         (segment->services() & decide::kAddressService) != 0;
    if (!offered || (from_host ? !answers : !asks)) {
      deny(from_host ? Drop::kHostStackDenied : Drop::kDefaultDeny);
      return true;
    }
    out_.allowed = true;
    out_.rule = "builtin:dhcp";
    out_.kind = "host";
    out_.leg = "the segment's address service, if the message is a well-formed one";
    out_.egress_segment = (from_host ? "" : "host stack of ") + segment_text(ingress.segment);
    say_allowed();
    return true;
  }
  const std::optional<Drop> never = decide::starts_no_flow(t.source, t.destination);
  if (never) deny(*never);
  return never.has_value();
}

// The flow that the packet belongs to decides it; policy is asked for a flow's first packet only.
// False if there is none, or none any more.
bool Teller::tell_flow() {
  if (!live_->flow) {
    step("flow", "none", "no open flow has these ends");
    return false;
  }
  const OpenFlow& flow = *live_->flow;
  const std::string whose = flow.from_client ? "from its client" : "from its server";
  if (flow.reopens) {
    step("flow", flow.state, "the flow with these ends is over; this opens another one");
    return false;
  }
  step("flow", flow.state,
       fmt::format("{}; {} allowed it, looked at again under revision {}{}{}", whose,
                   view_.rule_name(flow.rule), flow.revision, flow.next.empty() ? "" : "; ",
                   flow.next));
  if (flow.refused) {
    deny(*flow.refused);
    return true;
  }
  name_rule(flow.rule);
  out_.leg = "an open flow: policy was asked for its first packet";
  out_.rewrite = flow.rewrite;
  out_.egress_segment = flow.egress;
  say_allowed();
  return true;
}

// What a packet without a flow meets, in the dataplane's own order.
std::optional<Drop> Teller::first_packet(const Ingress& ingress, const decide::Verdict& verdict) {
  if (!verdict.decision.allowed()) return verdict.reason;
  if (is_tcp() && !tcp_flags_open(q_.tcp_flags)) return Drop::kMidStream;
  const wire::Segment* from = view_.segment(ingress.segment);
  if (ingress.origin == Origin::kHostStack && from != nullptr && from->napt44() && has_ports() &&
      q_.tuple.source.is_v4() && wire::is_nat_port(q_.tuple.source_port))
    return Drop::kHostStackDenied;
  if (live_ == nullptr) return std::nullopt;
  if (const auto none = live_->place(ingress.device)) return none;
  if (const auto full = admit(verdict.decision)) return full;
  return map(ingress, verdict);
}

std::optional<Drop> Teller::admit(const decide::Decision& decision) {
  if (decision.kind() != RuleKind::Terminate) {
    step("admission", "passes", "it starts no handshake of ours");
    return std::nullopt;
  }
  const Admission now = live_->admission(decision.rule());
  step("admission", now.admits ? "admitted" : std::string(to_string(Drop::kAdmissionFull)),
       fmt::format("{} of {} handshakes in flight", now.in_flight, now.bound));
  return now.admits ? std::nullopt : std::optional(Drop::kAdmissionFull);
}

// The uplink through which the packet leaves as the gateway's, or nullptr.
const wire::Segment* Teller::maps_through(const Ingress& ingress,
                                          const decide::Verdict& verdict) const {
  const wire::Segment* to = view_.segment(verdict.destination.segment);
  const bool mapped = to != nullptr && to->napt44() && q_.tuple.source.is_v4() &&
                      ingress.origin == Origin::kWire && ingress.segment != to->slot() &&
                      verdict.decision.kind() == RuleKind::Direct &&
                      !verdict.destination.is_gateway();
  return mapped ? to : nullptr;
}

std::optional<Drop> Teller::map(const Ingress& ingress, const decide::Verdict& verdict) {
  const wire::Segment* to = maps_through(ingress, verdict);
  if (to == nullptr) return std::nullopt;
  const std::optional<Drop> none =
      live_->mapping(to->slot(), static_cast<IpProtocol>(q_.tuple.protocol), ingress.device);
  step("mapping", none ? std::string(to_string(*none)) : "free",
       fmt::format("a port of {} stands for the sender's", segment_text(to->slot())));
  return none;
}

void Teller::name_rule(std::uint32_t slot) {
  out_.allowed = true;
  out_.rule = std::string(view_.rule_name(slot));
  if (slot >= view_.rules().size()) return;
  out_.kind = std::string(kind_text(view_.rules()[slot].kind()));
  if (const wire::Conduit* conduit = view_.conduit(view_.rules()[slot].conduit())) {
    out_.line = conduit->line();
    out_.column = conduit->column();
    out_.summary = std::string(wire::text(conduit->summary()));
  }
}

void Teller::say_allowed() {
  step("decision", "allow",
       out_.line == 0 ? fmt::format("{}; {}", out_.rule, out_.leg)
                      : fmt::format("{} ({}:{}:{}); {}", out_.rule, out_.config_name, out_.line,
                                    out_.column, out_.leg));
}

void Teller::tell_allowed(const Ingress& ingress, const decide::Verdict& verdict) {
  const decide::Decision& decision = verdict.decision;
  name_rule(decision.rule());
  out_.egress_segment = segment_text(verdict.destination.segment);
  switch (decision.kind()) {
    case RuleKind::Direct:
      out_.leg = "direct: forwarded as it is";
      if (const wire::Segment* to = maps_through(ingress, verdict)) {
        out_.leg = "direct, behind NAPT44";
        if (const wire::Address* own = view_.host_address(to->slot(), IpVersion::k4))
          out_.rewrite =
              fmt::format("source becomes {}, by a port that is given when the flow opens",
                          wire::to_ip(*own).to_string());
      }
      break;
    case RuleKind::Terminate: {
      out_.leg = "leg A: client to the terminator";
      const wire::Address* host =
          view_.host_address(ingress.segment, q_.tuple.destination.version());
      if (host != nullptr)
        out_.rewrite = fmt::format("destination becomes {}",
                                   endpoint_text(wire::to_ip(*host), decision.listener_port()));
      out_.egress_segment = "host stack of " + segment_text(ingress.segment);
      break;
    }
    case RuleKind::LegB:
      out_.leg = "leg B: terminator to the server";
      break;
    case RuleKind::HostService:
      out_.leg = "service: to or from the gateway itself";
      if (verdict.destination.is_gateway())
        out_.egress_segment = "host stack of " + segment_text(verdict.destination.segment);
      break;
  }
  say_allowed();
}

}  // namespace

Explanation explain(const wire::SnapshotView& snapshot, const Question& question,
                    const Live* live) {
  return Teller(snapshot, question, live).run();
}

}  // namespace sallyport::explain
