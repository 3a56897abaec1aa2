#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "policy/prove/permitted.h"
#include "policy/prove/prove.h"

namespace sallyport::prove {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string joined(const std::vector<std::string>& list) {
  std::string out;
  for (const std::string& item : list) out += out.empty() ? item : ", " + item;
  return out;
}

Json witness_json(const explain::Question& q) {
  return {{"source", q.tuple.source.to_string()},
          {"destination", q.tuple.destination.to_string()},
          {"protocol", q.tuple.protocol},
          {"source_port", q.tuple.source_port},
          {"destination_port", q.tuple.destination_port},
          {"segment_slot", q.segment},
          {"from_host_stack", q.origin == decide::Origin::kHostStack},
          {"names", q.names}};
}

}  // namespace

std::string to_json(const Proof& proof) {
  Json differences = Json::array();
  for (const Difference& d : proof.differences) {
    Json entry = {{"wrong", to_string(d.wrong)}, {"text", d.text}};
    if (d.witness) entry["witness"] = witness_json(*d.witness);
    differences.push_back(std::move(entry));
  }
  Json pairs = Json::array();
  for (const NotEnforceable& n : proof.not_enforceable)
    pairs.push_back({{"segment", n.segment}, {"port", n.port}, {"devices", n.devices}});
  return dump({{"revision", proof.revision},
               {"holds", proof.holds()},
               {"intervals", proof.intervals},
               {"boxes", proof.boxes},
               {"differences", differences},
               {"differences_omitted", proof.differences_omitted},
               {"not_enforceable", pairs}});
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
    out += fmt::format("  not enforceable: {} share port {}\n", joined(n.devices), n.port);
  return out;
}

std::string to_json(const std::vector<Cell>& cells) {
  Json out = Json::array();
  for (const Cell& c : cells) out.push_back({{"from", c.from}, {"to", c.to}, {"rules", c.rules}});
  return dump(out);
}

std::string to_text(const std::vector<Cell>& cells) {
  std::string out;
  for (const Cell& c : cells)
    out += fmt::format("{:<18} -> {:<18} {}\n", c.from, c.to, joined(c.rules));
  return out;
}

}  // namespace sallyport::prove
