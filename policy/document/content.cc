#include "policy/document/content.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "policy/prove/permitted.h"
#include "policy/review/text.h"

namespace sallyport::document {
namespace {

template <class List, class Text>
std::string listed(const List& list, Text text) {
  std::vector<std::string> out;
  for (const auto& one : list) out.push_back(text(one));
  return fmt::format("{}", fmt::join(out, ", "));
}

template <class List>
std::string addresses(const List& list) {
  return listed(list, [](const auto& one) { return one.to_string(); });
}

Table segments(const model::Gateway& gateway) {
  constexpr std::string_view kRoles[] = {"devices", "uplink", "management"};
  Table out{
      "Segments",
      {"segment", "role", "ports", "addresses of the gateway", "next hops", "services", "devices"},
      {}};
  for (const model::Segment& s : gateway.segments) {
    std::vector<std::string> services;
    for (const auto& [bit, name] : {std::pair(model::kDhcp, "dhcp"), std::pair(model::kDns, "dns"),
                                    std::pair(model::kNtp, "ntp"), std::pair(model::kPing, "ping")})
      if ((s.services & bit) != 0) services.emplace_back(name);
    const auto devices = std::ranges::count(gateway.devices, s.name, &model::Device::segment);
    out.rows.push_back({s.name, std::string(kRoles[static_cast<std::size_t>(s.role)]),
                        listed(s.members, review::member_text),
                        listed(s.addresses,
                               [](const model::InterfaceAddress& a) {
                                 return fmt::format("{}/{}", a.address.to_string(),
                                                    a.subnet.length());
                               }),
                        addresses(s.gateways), fmt::format("{}", fmt::join(services, ", ")),
                        std::to_string(devices)});
  }
  return out;
}

Table devices(const model::Gateway& gateway) {
  Table out{"Devices", {"device", "segment", "port", "MAC", "addresses"}, {}};
  for (const model::Device& d : gateway.devices)
    out.rows.push_back({d.name, d.segment, review::member_text(d.where), d.mac.to_string(),
                        addresses(d.addresses)});
  return out;
}

std::string termination(const model::Conduit& c) {
  if (!c.terminate) return c.inspect.modbus ? "relayed, plain" : "direct";
  const model::Terminate& t = *c.terminate;
  if (t.side == model::Side::kInbound)
    return fmt::format("TLS from the client, port {}, certificate {}{}", t.listen_port,
                       t.certificate, t.client_ca.empty() ? "" : ", clients of " + t.client_ca);
  return fmt::format("TLS to {} port {}, authority {}", t.server_name, t.server_port, t.server_ca);
}

Table conduits(const Subject& subject) {
  std::map<std::string, bool> permitted;
  for (const wire::Conduit* c : *subject.snapshot.root().conduits())
    permitted[c->name()->str()] = c->reviewed();
  Table out{"Conduits",
            {"conduit", "from", "to", "service", "how", "inspection", "timeouts", "permitted",
             "reason", "reviewed by", "on", "until", "signed by", "line"},
            {}};
  for (const model::Conduit& c : subject.gateway.conduits) {
    Row row = {c.name,
               review::end_text(c.from),
               review::end_text(c.to),
               review::service_text(c.service),
               termination(c),
               review::inspection_text(c.inspect),
               review::timeouts_text(c.timeouts),
               permitted[c.name] ? "yes" : "no: it denies"};
    if (c.review)
      for (const std::string& text :
           {c.review->reason, c.review->by, review::date_text(c.review->on_day),
            review::date_text(c.review->expires_day),
            listed(c.review->signatures, [](const model::Signature& s) { return s.by; })})
        row.push_back(text);
    row.resize(out.head.size() - 1);
    row.push_back(std::to_string(c.at.line));
    out.rows.push_back(std::move(row));
  }
  return out;
}

Table reviewers(const model::ReviewRules& rules) {
  Table out{"Reviewers", {"reviewer", "public key"}, {}};
  for (const model::Reviewer& one : rules.reviewers) out.rows.push_back({one.name, one.key});
  return out;
}

// The gateway's own addresses count as one end, and so do names, which only hosts beyond an uplink
// have.
std::string end_of(const std::string& end) {
  if (end.starts_with("gateway:")) return "gateway";
  return end.starts_with("name:") ? "names" : end;
}

Matrix matrix_of(const wire::SnapshotView& snapshot) {
  std::map<std::string, std::map<std::string, std::set<std::string>>> cells;
  std::set<std::string> columns;
  for (const prove::Cell& cell : prove::matrix(snapshot)) {
    const std::string to = end_of(cell.to);
    columns.insert(to);
    cells[end_of(cell.from)][to].insert(cell.rules.begin(), cell.rules.end());
  }
  Matrix out;
  out.to.assign(columns.begin(), columns.end());
  for (auto& [from, row] : cells) {
    out.from.push_back(from);
    auto& rules = out.rules.emplace_back();
    for (const std::string& to : columns) rules.emplace_back(row[to].begin(), row[to].end());
  }
  return out;
}

}  // namespace

std::string printable(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = c == '\n' ? ' ' : '?';
  return out;
}

Content content_of(const Subject& subject) {
  const model::ReviewRules& rules = subject.gateway.review_rules;
  Content out;
  out.title = fmt::format("Policy of revision {}", subject.snapshot.revision());
  out.facts = {"",
               {},
               {{"SHA-256 of the configuration", subject.sha256},
                {"chain of the revision", subject.chain},
                {"proof", subject.proof.holds()
                              ? "the compiled tables permit exactly what the reviewed conduits say"
                              : "the compiled tables are not what the reviewed conduits say"},
                {"signatures that a review needs", std::to_string(rules.required_signatures)},
                {"a review that has ended",
                 rules.on_expiry == model::OnExpiry::kDeny
                     ? "denies at once"
                     : "holds for 30 days more with an alert a day, then denies"}}};
  out.tables = {segments(subject.gateway), devices(subject.gateway), conduits(subject)};
  if (!rules.reviewers.empty()) out.tables.push_back(reviewers(rules));
  out.matrix = matrix_of(subject.snapshot);
  for (const prove::NotEnforceable& n : subject.proof.not_enforceable)
    out.not_enforceable.push_back(
        fmt::format("{} share port {}; they talk without the gateway", fmt::join(n.devices, ", "),
                    n.vlan == 0 ? n.port : fmt::format("{} VLAN {}", n.port, n.vlan)));
  return out;
}

}  // namespace sallyport::document
