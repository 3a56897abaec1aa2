#include "dataplane/app/trace_row.h"

#include <fmt/format.h>

#include "dataplane/telemetry/stages.h"
#include "policy/explain/question.h"

namespace sallyport::dataplane {
namespace {

using Json = nlohmann::json;
using Record = Capture::Record;

std::string packet_text(const Headers& h) {
  std::string out =
      explain::packet_text({h.source, h.destination, static_cast<std::uint8_t>(h.protocol),
                            h.source_port, h.service_port()});
  if (h.message == Message::kTcp) out += " [" + tcp_flags_text(h.tcp_flags) + "]";
  return out;
}

bool saw(const Record& r, Stage stage) { return (r.stages & stage_bit(stage)) != 0; }

// Also if it still waits for its next hop.
bool permitted(const Record& r) { return r.decided ? r.allowed : saw(r, Stage::kForward); }

std::string place_of(const Exit& exit, const QueryContext& context) {
  return exit.kind == Exit::Kind::kHostStack ? "host:" + segment_name(exit.segment, context)
                                             : port_name(exit.port, context);
}

std::string sender_of(const Record& r, const QueryContext& context) {
  if (r.origin == Origin::kHostStack) return "gateway";
  const std::string device = device_name(r.device, context);
  return device.empty() ? segment_name(r.segment, context) : device;
}

std::string rewritten(const Headers& came, const Headers& went) {
  if (came.destination != went.destination || came.destination_port != went.destination_port)
    return "destination becomes " + explain::endpoint_text(went.destination, went.destination_port);
  return "source becomes " + explain::endpoint_text(went.source, went.source_port);
}

// What the stage made of it: a word, and a sentence.
std::pair<std::string, std::string> told(const Record& r, Stage stage, const QueryContext& c) {
  switch (stage) {
    case Stage::kParse:
      return {fmt::format("{} bytes", r.size), packet_text(r.came)};
    case Stage::kBind:
      return {sender_of(r, c),
              r.origin == Origin::kHostStack
                  ? fmt::format("from the host stack of {}", segment_name(r.segment, c))
                  : fmt::format("{} on {}{}", r.came.source_mac.to_string(), port_name(r.port, c),
                                r.came.vlan == 0 ? "" : fmt::format(" VLAN {}", r.came.vlan))};
    case Stage::kFlow:
      return {saw(r, Stage::kClassify) ? "opened" : "open",
              saw(r, Stage::kClassify) ? "the first packet of a flow" : "of a flow that is open"};
    case Stage::kClassify:
      return {r.decided && r.allowed ? rule_name(r.rule, c) : "asked",
              "no open flow has these ends"};
    case Stage::kRewrite:
      return {"rewritten", rewritten(r.came, r.went)};
    case Stage::kForward:
      return {r.decided && r.allowed ? place_of(r.exit, c) : "next hop",
              fmt::format("TTL {}", r.went.ttl)};
    case Stage::kHostStack:
      return {segment_name(r.exit.segment, c), "into the segment's own stack"};
    case Stage::kDrop:
      return {std::string(to_string(r.reason)),
              std::string(kDropInfo[static_cast<std::size_t>(r.reason)].help)};
    default:
      return {"seen", std::string(kStageHelp[static_cast<std::size_t>(stage)])};
  }
}

}  // namespace

Json trace_row(const Record& r, const QueryContext& context) {
  Json steps = Json::array();
  for (std::size_t i = 0; i < kStageNames.size(); ++i) {
    const auto stage = static_cast<Stage>(i);
    if (!saw(r, stage)) continue;
    const auto [outcome, detail] = told(r, stage, context);
    steps.push_back({{"stage", kStageNames[i]}, {"outcome", outcome}, {"detail", detail}});
  }
  Json row = {{"time", wall_s(r.when, context)},
              {"packet", packet_text(r.came)},
              {"in", r.made_here                      ? "made here"
                     : r.origin == Origin::kHostStack ? "host:" + segment_name(r.segment, context)
                                                      : port_name(r.port, context)},
              {"decision", !r.decided  ? "waits"
                           : r.allowed ? "allow"
                                       : "deny"},
              {"reason", r.decided && !r.allowed ? to_string(r.reason) : std::string_view()},
              {"rule", permitted(r) ? rule_name(r.rule, context) : std::string()},
              {"out", r.decided && r.allowed ? place_of(r.exit, context) : std::string()},
              {"steps", std::move(steps)}};
  return row;
}

}  // namespace sallyport::dataplane
