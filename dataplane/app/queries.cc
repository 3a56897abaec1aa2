#include "dataplane/app/queries.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

namespace sallyport::dataplane {
namespace {

using Json = nlohmann::json;

}  // namespace

std::string device_name(DeviceSlot slot, const QueryContext& c) {
  return c.tables == nullptr || slot == kNoDevice ? std::string()
                                                  : std::string(c.tables->view().device_name(slot));
}
double wall_s(Instant when, const QueryContext& c) {
  const std::int64_t ms = (c.wall_ns - (c.now - when).count()) / 1'000'000;
  return static_cast<double>(ms) / 1000.0;
}
std::string port_name(PortSlot slot, const QueryContext& c) {
  const auto found = c.port_names.find(slot);
  return found == c.port_names.end() ? fmt::format("port-{}", slot) : found->second;
}
std::string segment_name(SegmentSlot slot, const QueryContext& c) {
  const SegmentInfo* segment = c.tables == nullptr ? nullptr : c.tables->segment(slot);
  return segment == nullptr ? std::string() : segment->name;
}
std::string rule_name(RuleSlot slot, const QueryContext& c) {
  if (slot >= kFirstBuiltinRule && slot - kFirstBuiltinRule < kBuiltinNames.size()) {
    return std::string(kBuiltinNames[slot - kFirstBuiltinRule]);
  }
  return c.tables == nullptr ? std::string() : std::string(c.tables->view().rule_name(slot));
}

std::string counters_json(const Counters& counters, std::uint64_t events_lost,
                          const QueryContext& context, const std::vector<PortFigures>& ports,
                          const TapThread::Counters& taps) {
  Json drops = Json::object(), builtin = Json::object(), wires = Json::array();
  for (std::size_t i = 0; i < kDropCount; ++i) {
    drops[std::string(kDropInfo[i].name)] = counters.drops[i];
  }
  for (std::size_t i = 0; i < kBuiltinNames.size(); ++i) {
    builtin[std::string(kBuiltinNames[i])] = counters.builtin[i];
  }
  for (const auto& [slot, port, health] : ports) {
    wires.push_back({{"port", port_name(slot, context)},
                     {"rx_packets", port.rx_packets},
                     {"rx_bytes", port.rx_bytes},
                     {"tx_packets", port.tx_packets},
                     {"tx_bytes", port.tx_bytes},
                     {"tx_full", port.tx_full},
                     {"rx_missed", health.rx_missed},
                     {"rx_errors", health.rx_errors},
                     {"rx_no_buffer", health.rx_no_buffer},
                     {"tx_errors", health.tx_errors},
                     {"link_up", health.link_up},
                     {"woken_by", health.woken_by}});
  }
  const Json out = {{"received", counters.received},
                    {"from_host", counters.from_host},
                    {"originated", counters.originated},
                    {"taken_over", counters.taken_over},
                    {"handed_over", counters.handed_over},
                    {"forwarded", counters.forwarded},
                    {"to_host", counters.to_host},
                    {"consumed", counters.consumed},
                    {"held", counters.held},
                    {"flows_made", counters.flows_made},
                    {"flows_ended", counters.flows_ended},
                    {"flows_cut", counters.flows_cut},
                    {"flows_displaced", counters.flows_displaced},
                    {"credits_granted", counters.credits_granted},
                    {"credits_returned", counters.credits_returned},
                    {"credits_reclaimed", counters.credits_reclaimed},
                    {"credits_refused", counters.credits_refused},
                    {"names_learned", counters.names_learned},
                    {"names_untold", counters.names_untold},
                    {"events_lost", events_lost},
                    {"tap_to_host", taps.to_host.load()},
                    {"tap_to_host_merged", taps.to_host_merged.load()},
                    {"tap_to_host_supers", taps.to_host_supers.load()},
                    {"tap_to_host_failed", taps.to_host_failed.load()},
                    {"tap_from_host", taps.from_host.load()},
                    {"tap_from_host_cut", taps.from_host_cut.load()},
                    {"tap_from_host_supers", taps.from_host_supers.load()},
                    {"tap_from_host_dropped", taps.from_host_dropped.load()},
                    {"drops", drops},
                    {"builtin", builtin},
                    {"ports", wires}};
  return out.dump();
}

std::string volumes_json(const Counters& counters, std::span<const SegmentVolume> segments,
                         std::span<const Volume> rules, std::uint32_t flows,
                         const QueryContext& context) {
  Json segment_rows = Json::array(), rule_rows = Json::array(), drops = Json::object();
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const SegmentVolume& s = segments[i];
    if (s.in.packets == 0 && s.out.packets == 0 && s.dropped == 0) continue;
    segment_rows.push_back({{"segment", segment_name(static_cast<SegmentSlot>(i), context)},
                            {"in_packets", s.in.packets},
                            {"in_bytes", s.in.bytes},
                            {"out_packets", s.out.packets},
                            {"out_bytes", s.out.bytes},
                            {"dropped", s.dropped}});
  }
  std::vector<RuleSlot> used;
  for (std::size_t i = 0; i < rules.size(); ++i)
    if (rules[i].packets != 0) used.push_back(static_cast<RuleSlot>(i));
  const std::size_t shown = std::min(used.size(), kMaxRuleRows);
  std::ranges::partial_sort(used, used.begin() + static_cast<std::ptrdiff_t>(shown), std::greater{},
                            [&](RuleSlot slot) { return rules[slot].bytes; });
  for (const RuleSlot slot : std::span(used).first(shown))
    rule_rows.push_back({{"rule", rule_name(slot, context)},
                         {"packets", rules[slot].packets},
                         {"bytes", rules[slot].bytes}});
  for (std::size_t i = 0; i < kDropCount; ++i)
    if (counters.drops[i] != 0) drops[std::string(kDropInfo[i].name)] = counters.drops[i];
  return Json{{"at_ns", context.now.ns()},
              {"flows", flows},
              {"segments", std::move(segment_rows)},
              {"rules", std::move(rule_rows)},
              {"rules_left_off", used.size() - shown},
              {"drops", std::move(drops)}}
      .dump();
}

Json flow_row(const Opening& copy, const QueryContext& context) {
  const Flow& f = copy.flow;
  const bool tcp = f.protocol == IpProtocol::kTcp;
  return {{"protocol", to_string(f.protocol)},
          {"client", f.client.to_string()},
          {"client_port", f.at_client.port},
          {"server", f.server.to_string()},
          {"server_port", f.at_server.port},
          {"target", f.target(copy.stand_in).to_string()},
          {"target_port", f.target_port()},
          {"leaves_as", f.mapped() ? copy.stand_in.to_string() : std::string()},
          {"leaves_as_port", f.mapped() ? f.caller_port() : 0},
          {"rule", rule_name(f.rule, context)},
          {"state", tcp ? std::string(kTcpStateNames[static_cast<std::size_t>(f.tcp.state)])
                        : std::string("open")},
          {"client_segment", segment_name(f.at_client.segment(), context)},
          {"server_segment", segment_name(f.at_server.segment(), context)},
          {"client_device", device_name(f.at_client.device(), context)},
          {"server_device", device_name(f.at_server.device(), context)},
          {"packets_from_client", f.packets[0]},
          {"packets_from_server", f.packets[1]},
          {"ends_in_s", (f.deadline.instant() - context.now).count() / 1'000'000'000}};
}

Json drop_row(const DropRecord& d, const QueryContext& context) {
  return {{"reason", to_string(d.key.reason())},
          {"help", kDropInfo[static_cast<std::size_t>(d.key.reason())].help},
          {"segment", segment_name(d.key.segment(), context)},
          {"port", d.key.port() == kNoPort ? std::string() : port_name(d.key.port(), context)},
          {"vlan", d.example.vlan},
          {"device", device_name(d.key.device(), context)},
          {"mac", d.key.mac().to_string()},
          {"source", d.example.source.to_string()},
          {"source_port", d.example.source_port},
          {"destination", d.key.destination().to_string()},
          {"destination_port", d.key.destination_port()},
          {"protocol", d.key.protocol()},
          {"more_destinations", d.key.overflow()},
          {"revision", d.example.revision},
          {"first", wall_s(d.first, context)},
          {"last", wall_s(d.last, context)},
          {"packets", d.packets}};
}

Json neighbour_row(const NeighbourRow& row, const QueryContext& context) {
  return {{"segment", segment_name(row.segment, context)},
          {"address", row.address.to_string()},
          {"mac", row.known ? row.mac.to_string() : std::string()},
          {"port", row.known ? port_name(row.port, context) : std::string()},
          {"state", row.known ? "known" : "asking"}};
}

std::string event_json(const Event& event, const QueryContext& context) {
  Json out{{"device", device_name(event.device, context)},
           {"address", event.address.to_string()},
           {"time", wall_s(event.when, context)}};
  if (event.kind == EventKind::kStolenIdentity)
    out.update({{"home_port", port_name(event.home_port, context)},
                {"seen_port", port_name(event.seen_port, context)},
                {"seen_vlan", event.seen_vlan},
                {"mac", event.mac.to_string()}});
  return out.dump();
}

std::string link_event_json(std::string_view port, std::int64_t wall_ns) {
  const std::int64_t wall_ms = wall_ns / 1'000'000;
  return Json{{"port", port}, {"time", static_cast<double>(wall_ms) / 1000.0}}.dump();
}

}  // namespace sallyport::dataplane
