#include "policy/review/parts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "policy/review/text.h"
#include "policy/wire/digest.h"

namespace sallyport::review {
namespace {

constexpr std::string_view kDigest = "sha256:";
constexpr std::string_view kBetween = "; ";
constexpr std::string_view kIs = " = ";

template <class List, class Text>
std::string sorted(const List& list, Text text, const char* none = "none") {
  std::vector<std::string> out;
  for (const auto& one : list) out.push_back(text(one));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out.empty() ? none : fmt::format("{}", fmt::join(out, " "));
}

std::string addresses_of(const model::Device& device) {
  return sorted(device.addresses, [](const IpAddress& a) { return a.to_string(); });
}

constexpr std::string_view kRoles[] = {"devices", "uplink", "management"};
constexpr std::string_view kClientAuths[] = {"none", "optional", "required"};

bool covers(const model::SegmentEnd& end, const model::Device& device) {
  if (device.segment != end.segment) return false;
  if (end.prefixes.empty()) return true;
  return std::ranges::any_of(end.prefixes, [&](const IpPrefix& p) {
    return device.slaac_follow ||
           std::ranges::any_of(device.addresses, [&](const IpAddress& a) { return p.contains(a); });
  });
}

}  // namespace

std::string fit(std::string_view value) {
  const bool plain = std::ranges::all_of(
      value, [](char c) { return c >= ' ' && c <= '~' && c != ';' && c != '"' && c != '\\'; });
  if (plain && !value.empty() && value.size() <= kMaxValue && value.front() != ' ' &&
      value.back() != ' ' && !value.starts_with(kDigest))
    return std::string(value);
  return std::string(kDigest) + wire::to_hex(wire::sha256(value));
}

// One conduit's parts, each named once.
class Resolver::Work {
 public:
  Work(Resolver& all, const model::Conduit& conduit) : all_(all), conduit_(conduit) {}

  Parts run() {
    const model::Review& review = *conduit_.review;
    add("conduit", conduit_.name);
    add("by", review.by);
    add("on", date_text(review.on_day));
    add("expires", date_text(review.expires_day));
    add("reason", review.reason);
    add("from", end_text(conduit_.from));
    add("to", end_text(conduit_.to));
    add("service", service_text(conduit_.service));
    add("plaintext", conduit_.plaintext_accepted ? "accepted" : "no");
    add("inspection", inspection_text(conduit_.inspect));
    const model::AdmissionSpec& a = conduit_.admission;
    add("admission", fmt::format("inflight {} rate {} per-device {}", a.inflight, a.rate_per_s,
                                 a.per_device_per_s));
    // Not said in what was signed before there was anything to say.
    if (!conduit_.timeouts.none()) add("timeouts", timeouts_text(conduit_.timeouts));
    termination();
    add_end(conduit_.from);
    add_end(conduit_.to);
    return std::move(parts_);
  }

 private:
  void add(const std::string& what, std::string_view value) {
    if (std::ranges::none_of(parts_, [&](const Part& p) { return p.what == what; }))
      parts_.push_back({what, fit(value)});
  }

  void authority(const std::string& name) {
    const auto at = all_.authorities_.find(name);
    add("hash of " + name, at == all_.authorities_.end() ? kUnknown : at->second);
  }

  void termination() {
    if (!conduit_.terminate) return add("termination", "none");
    const model::Terminate& t = *conduit_.terminate;
    add("certificate", t.certificate.empty() ? "none" : t.certificate);
    if (t.side == model::Side::kInbound) {
      add("termination", "inbound");
      add("listen",
          fmt::format(
              "{} port {}",
              t.listen_gateway || !t.listen_address ? "gateway" : t.listen_address->to_string(),
              t.listen_port));
      add("client-auth", kClientAuths[static_cast<std::size_t>(t.client_auth)]);
      add("client-ca", t.client_ca.empty() ? "none" : t.client_ca);
      if (!t.client_ca.empty()) authority(t.client_ca);
      if (t.listen_address) add_address(*t.listen_address);
      return;
    }
    add("termination", "outbound");
    add("server", fmt::format("{} at {} port {}", t.server_name,
                              t.server_address ? t.server_address->to_string() : "its addresses",
                              t.server_port));
    add("server-ca", t.server_ca);
    authority(t.server_ca);
    if (t.server_address) add_address(*t.server_address);
    add("virtual range", sorted(
                             all_.gateway_.virtual_ranges,
                             [](const IpPrefix& p) { return p.to_string(); }, "built-in"));
  }

  void add_end(const model::End& end) {
    if (const auto* e = std::get_if<model::DeviceEnd>(&end)) {
      if (e->device != model::kGatewayName) add_device(e->device);
    } else if (const auto* e2 = std::get_if<model::SegmentEnd>(&end)) {
      add("devices of " + end_text(end).substr(8), all_.devices_of(*e2));
      add_segment(e2->segment);
    } else if (const auto* e3 = std::get_if<model::AddressEnd>(&end)) {
      for (const IpAddress& address : e3->addresses) add_address(address);
    } else {
      add_routes();
    }
  }

  void add_device(const std::string& name) {
    const auto at = all_.devices_.find(name);
    if (at == all_.devices_.end()) return add("device " + name, kUnknown);
    const model::Device& device = *at->second;
    add("segment of " + name, device.segment);
    add("port of " + name, member_text(device.where));
    add("mac of " + name, device.mac.to_string());
    add("address of " + name, addresses_of(device));
    add("slaac of " + name, device.slaac_follow ? "follow" : "off");
    add_port(device.where.port);
    add_segment(device.segment);
  }

  void add_segment(const std::string& name) {
    const auto at = all_.segments_.find(name);
    if (at == all_.segments_.end()) return add("segment " + name, kUnknown);
    const model::Segment& segment = *at->second;
    add("role of " + name, kRoles[static_cast<std::size_t>(segment.role)]);
    add("ports of " + name, sorted(segment.members, member_text));
    add("subnets of " + name, sorted(segment.addresses, [](const model::InterfaceAddress& a) {
          return fmt::format("{}/{}", a.address.to_string(), a.subnet.length());
        }));
    add("next hops of " + name,
        sorted(segment.gateways, [](const IpAddress& a) { return a.to_string(); }));
    for (const model::Member& m : segment.members) add_port(m.port);
  }

  void add_port(const std::string& name) {
    const auto at = all_.ports_.find(name);
    add("hardware of " + name, at == all_.ports_.end() ? kUnknown : at->second->device);
  }

  // An address is whoever has it: a device, somebody on a segment, somebody behind an uplink.
  void add_address(const IpAddress& address) {
    const auto owner = all_.owners_.find(address);
    add("device at " + address.to_string(),
        owner == all_.owners_.end() ? "none" : owner->second->name);
    if (owner != all_.owners_.end()) return add_device(owner->second->name);
    bool inside = false;
    for (const model::Segment& segment : all_.gateway_.segments)
      for (const model::InterfaceAddress& a : segment.addresses)
        if (a.subnet.contains(address)) {
          add_segment(segment.name);
          inside = true;
        }
    if (!inside) add_routes();
  }

  void add_routes() {
    for (const model::Segment& segment : all_.gateway_.segments)
      if (!segment.gateways.empty()) add_segment(segment.name);
  }

  Resolver& all_;
  const model::Conduit& conduit_;
  Parts parts_;
};

Resolver::Resolver(const model::Gateway& gateway, const Authorities& authorities)
    : gateway_(gateway), authorities_(authorities) {
  for (const model::Port& port : gateway.ports) ports_.emplace(port.name, &port);
  for (const model::Segment& segment : gateway.segments) segments_.emplace(segment.name, &segment);
  for (const model::Device& device : gateway.devices) {
    devices_.emplace(device.name, &device);
    for (const IpAddress& address : device.addresses) owners_.emplace(address, &device);
  }
}

Parts Resolver::parts_of(const model::Conduit& conduit) { return Work(*this, conduit).run(); }

const std::string& Resolver::devices_of(const model::SegmentEnd& end) {
  const auto [at, fresh] = devices_of_.try_emplace(end_text(model::End(end)));
  if (!fresh) return at->second;
  std::vector<std::string> out;
  for (const model::Device& device : gateway_.devices)
    if (covers(end, device))
      out.push_back(fmt::format("{} {} {} {} {}", device.name, member_text(device.where),
                                device.mac.to_string(), device.slaac_follow ? "slaac" : "static",
                                addresses_of(device)));
  std::sort(out.begin(), out.end());
  return at->second = out.empty() ? "none" : fmt::format("{}", fmt::join(out, ", "));
}

std::string to_text(const Parts& parts) {
  std::string out;
  for (const Part& part : parts) {
    if (!out.empty()) out += kBetween;
    out += part.what;
    out += kIs;
    out += part.value;
  }
  return out;
}

Result<Parts> parse_parts(std::string_view text) {
  const auto refuse = [](std::string why) {
    return fail(ErrorKind::kInvalid, "bad-signed-text", std::move(why));
  };
  if (text.empty() || text.size() > kMaxSignedText)
    return refuse(fmt::format("it has {} bytes, not 1 to {}", text.size(), kMaxSignedText));
  Parts out;
  for (bool more = true; more;) {
    const std::size_t end = text.find(kBetween);
    more = end != text.npos;
    const std::string_view one = text.substr(0, end);
    if (more) text.remove_prefix(end + kBetween.size());
    const std::size_t is = one.find(kIs);
    if (is == one.npos || is == 0) return refuse("a part of it is not NAME = VALUE");
    Part part{std::string(one.substr(0, is)), std::string(one.substr(is + kIs.size()))};
    const bool digest = part.value.starts_with(kDigest);
    if ((digest ? part.value.size() != kDigest.size() + 64 : fit(part.value) != part.value) ||
        fit(part.what) != part.what)
      return refuse("a part of it is not as it is written here");
    if (out.size() == kMaxParts) return refuse("it has too many parts");
    out.push_back(std::move(part));
  }
  return out;
}

std::vector<std::string> differences(const Parts& then, const Parts& now) {
  std::map<std::string_view, std::string_view> before;
  std::map<std::string_view, std::string_view> after;
  for (const Part& part : then) before.emplace(part.what, part.value);
  for (const Part& part : now) after.emplace(part.what, part.value);
  const auto hidden = [](std::string_view value) { return value.starts_with(kDigest); };
  std::vector<std::string> out;
  for (const auto& [what, value] : now) {
    const auto at = before.find(what);
    if (value == kUnknown)
      out.push_back(fmt::format("{} is not known here", what));
    else if (at == before.end())
      out.push_back(fmt::format("{} is new: {}", what, value));
    else if (at->second != value && (hidden(at->second) || hidden(value)))
      out.push_back(fmt::format("{} changed", what));
    else if (at->second != value)
      out.push_back(fmt::format("{} changed from {} to {}", what, at->second, value));
  }
  for (const auto& [what, value] : then)
    if (!after.contains(what)) out.push_back(fmt::format("{} is gone, it was {}", what, value));
  if (out.empty() && then != now) out.emplace_back("the parts stand in another order");
  return out;
}

std::string statement(std::string_view reviewer, std::string_view signed_text) {
  return fmt::format("sallyport review 1\n{}\n{}\n", reviewer, signed_text);
}

}  // namespace sallyport::review
