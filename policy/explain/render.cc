#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "policy/explain/explain.h"

namespace sallyport::explain {
namespace {

using Json = nlohmann::ordered_json;

std::string place(const std::string& file, std::uint32_t line, std::uint32_t column) {
  return line == 0 ? std::string() : fmt::format("{}:{}:{}", file, line, column);
}

}  // namespace

std::string to_json(const Explanation& e) {
  Json steps = Json::array();
  for (const Step& s : e.steps)
    steps.push_back({{"stage", s.stage}, {"outcome", s.outcome}, {"detail", s.detail}});
  Json candidates = Json::array();
  for (const Candidate& c : e.candidates)
    candidates.push_back({{"name", c.name},
                          {"summary", c.summary},
                          {"kind", c.kind},
                          {"line", c.line},
                          {"column", c.column},
                          {"why", to_string(c.why)},
                          {"detail", c.detail}});
  const Json out = {{"revision", e.revision},
                    {"file", e.config_name},
                    {"packet", e.packet},
                    {"decision", e.allowed ? "allow" : "deny"},
                    {"reason", e.reason},
                    {"help", e.help},
                    {"rule", e.rule},
                    {"kind", e.kind},
                    {"line", e.line},
                    {"column", e.column},
                    {"summary", e.summary},
                    {"leg", e.leg},
                    {"rewrite", e.rewrite},
                    {"egress", e.egress_segment},
                    {"steps", steps},
                    {"candidates", candidates},
                    {"candidates_omitted", e.candidates_omitted}};
  // Replaces what is not UTF-8 instead of throwing: names come from a snapshot, not from us.
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_text(const Explanation& e) {
  std::string out = fmt::format("{}   revision {}\n", e.packet, e.revision);
  for (const Step& s : e.steps)
    out += fmt::format("  {:<12} {:<18} {}\n", s.stage, s.outcome, s.detail);
  if (!e.candidates.empty()) out += "  conduits\n";
  for (const Candidate& c : e.candidates) {
    out += fmt::format("    {:<18} {}{}", to_string(c.why), c.name,
                       c.kind.empty() ? std::string() : fmt::format(" [{}]", c.kind));
    const std::string where = place(e.config_name, c.line, c.column);
    if (!where.empty()) out += "  " + where;
    if (!c.summary.empty()) out += "  " + c.summary;
    if (!c.detail.empty()) out += "; " + c.detail;
    out += '\n';
  }
  if (e.candidates_omitted > 0) out += fmt::format("    and {} more\n", e.candidates_omitted);
  if (!e.allowed) return out + fmt::format("DENY {}: {}\n", e.reason, e.help);
  out += fmt::format("ALLOW {}", e.rule);
  const std::string where = place(e.config_name, e.line, e.column);
  if (!where.empty()) out += " " + where;
  out += fmt::format("  {}", e.leg);
  if (!e.rewrite.empty()) out += "; " + e.rewrite;
  return out + fmt::format("; out: {}\n", e.egress_segment);
}

}  // namespace sallyport::explain
