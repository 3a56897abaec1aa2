#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "policy/explain/candidates.h"
#include "policy/prove/permitted.h"
#include "policy/prove/prove.h"

namespace sallyport::prove {
namespace {

using Json = nlohmann::ordered_json;

// Replaces what is not UTF-8 instead of throwing: names come from a snapshot, not from us.
std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& item : list) out += out.empty() ? item : ", " + item;
  return out;
}

std::string where(const NotEnforceable& n) {
  return n.vlan == 0 ? n.port : fmt::format("{} VLAN {}", n.port, n.vlan);
}

Json witness_json(const Difference& d) {
  const explain::Question& q = *d.witness;
  return {{"source", q.tuple.source.to_string()},
          {"destination", q.tuple.destination.to_string()},
          {"protocol", q.tuple.protocol},
          {"source_port", q.tuple.source_port},
          {"destination_port", q.tuple.destination_port},
          {"from_host_stack", q.origin == decide::Origin::kHostStack},
          {"names", q.names},
          {"explain", d.command}};
}

Json end_json(const PermittedEnd& end) {
  return {{"end", end.end},
          {"device", end.device},
          {"addresses", end.name.empty() ? text_of(end.addresses) : end.name}};
}

}  // namespace

model::Diagnostics refusal(const Proof& proof) {
  model::Diagnostics out;
  for (const Difference& d : proof.differences)
    out.push_back({{},
                   fmt::format("{}{}", kNotProven, to_string(d.wrong)),
                   "what was compiled is not what is described: " + d.text,
                   "nothing was applied; report this with the configuration, it is a fault of the "
                   "compiler or of the proof" +
                       (d.command.empty()
                            ? std::string()
                            : "; see it with: sallyctl explain --candidate FILE " + d.command)});
  return out;
}

std::string to_json(const Proof& proof) {
  Json differences = Json::array();
  for (const Difference& d : proof.differences) {
    Json entry = {{"wrong", to_string(d.wrong)}, {"text", d.text}};
    if (d.witness) entry["witness"] = witness_json(d);
    differences.push_back(std::move(entry));
  }
  Json groups = Json::array();
  for (const NotEnforceable& n : proof.not_enforceable)
    groups.push_back(
        {{"segment", n.segment}, {"port", n.port}, {"vlan", n.vlan}, {"devices", n.devices}});
  return dump({{"revision", proof.revision},
               {"holds", proof.holds()},
               {"intervals", proof.intervals},
               {"boxes", proof.boxes},
               {"differences", differences},
               {"differences_omitted", proof.differences_omitted},
               {"not_enforceable", groups}});
}

std::string to_text(const Proof& proof) {
  std::string out =
      fmt::format("revision {}: {} ({} address intervals, {} boxes)\n", proof.revision,
                  proof.holds() ? "permits exactly what is described" : "REFUSED", proof.intervals,
                  proof.boxes);
  for (const Difference& d : proof.differences)
    out += fmt::format("  {:<12} {}\n", to_string(d.wrong), d.text);
  if (proof.differences_omitted > 0)
    out += fmt::format("  and {} more\n", proof.differences_omitted);
  for (const NotEnforceable& n : proof.not_enforceable)
    out += fmt::format("  not enforceable: {} share port {}\n", joined(n.devices), where(n));
  return out;
}

std::string to_json(const std::vector<Cell>& cells) {
  Json out = Json::array();
  for (const Cell& c : cells) out.push_back({{"from", c.from}, {"to", c.to}, {"rules", c.rules}});
  return dump(out);
}

std::string to_json(const PermittedBoxes& permitted) {
  Json out = Json::array();
  for (const PermittedBox& b : permitted.boxes)
    out.push_back({{"from", end_json(b.from)},
                   {"to", end_json(b.to)},
                   {"protocol", to_string(static_cast<IpProtocol>(b.protocol))},
                   {"first_port", b.ports.first},
                   {"last_port", b.ports.last},
                   {"rule", b.rule},
                   {"kind", explain::kind_text(b.kind)}});
  return dump({{"boxes", out}, {"more", permitted.more}});
}

}  // namespace sallyport::prove
