#include "control/config/conduits.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "control/config/review.h"
#include "control/config/services.h"
#include "control/config/values.h"
#include "policy/model/names.h"

namespace sallyport::control {
namespace {

constexpr std::size_t kMaxCredentialName = 63;

std::string label(const Fields& fields, std::string_view key) {
  return fmt::format("{}: '{}'", fields.what(), key);
}

std::vector<IpPrefix> read_prefixes(Fields& fields, std::string_view key) {
  std::vector<IpPrefix> out;
  for (const Node* item : fields.list(key))
    if (const auto prefix = read_prefix(*item, label(fields, key), fields.problems()))
      out.push_back(*prefix);
  return out;
}

std::uint16_t read_port(Fields& fields, std::string_view key, std::string_view hint) {
  fields.require(key, hint);
  return static_cast<std::uint16_t>(fields.number(key, 1, 65535, hint).value_or(0));
}

// Names of the credential store: they become file names there, so their form is narrow.
std::string read_credential(Fields& fields, std::string_view key, bool required,
                            std::string_view hint) {
  const auto text = fields.word(key, required, hint);
  if (!text) return {};
  check_name(*text, kMaxCredentialName, "credential", fields.at(key), fields.problems());
  return *text;
}

// `from:` and `to:`: a device by name, or a mapping with one of segment, address, name.
model::End read_end(const Node& node, const std::string& what, std::string_view prefixes_key,
                    Problems& problems) {
  if (node.kind == NodeKind::kScalar) {
    check_name(node.text, model::kMaxLongName, "device", node.at, problems);
    return model::DeviceEnd{node.text};
  }
  Fields fields(node, what, {"segment", prefixes_key, "address", "name"}, problems);
  if (!fields.usable()) return model::DeviceEnd{};
  const int kinds = (fields.find("segment") != nullptr) + (fields.find("address") != nullptr) +
                    (fields.find("name") != nullptr);
  if (kinds != 1) {
    problems.add(node.at, "bad-end",
                 fmt::format("{} needs exactly one of segment, address, name", what),
                 "a device's name, { segment: uplink }, { address: 203.0.113.9 } or "
                 "{ name: broker.example }");
    return model::DeviceEnd{};
  }
  if (fields.find("segment") != nullptr) {
    model::SegmentEnd end;
    end.segment = fields.word("segment", true, "the name of a segment").value_or("");
    end.prefixes = read_prefixes(fields, prefixes_key);
    return end;
  }
  if (fields.find(prefixes_key) != nullptr)
    problems.add(fields.at(prefixes_key), "bad-end",
                 fmt::format("{}: '{}' goes with 'segment' only", what, prefixes_key),
                 fmt::format("{{ segment: uplink, {}: [192.0.2.0/24] }}", prefixes_key));
  if (const Node* name = fields.find("name"); name != nullptr)
    return model::NameEnd{read_host_name(*name, label(fields, "name"), problems).value_or("")};
  model::AddressEnd end;
  for (const Node* item : fields.list("address"))
    if (const auto address = read_address(*item, label(fields, "address"), problems))
      end.addresses.push_back(*address);
  return end;
}

void read_listen(const Node& node, const std::string& what, model::Terminate& out,
                 Problems& problems) {
  Fields fields(node, what + ": 'listen'", {"address", "port"}, problems);
  if (!fields.usable()) return;
  out.listen_port = read_port(fields, "port", "802");
  const Node* address = fields.find("address");
  if (address == nullptr || (address->kind == NodeKind::kScalar && address->text == "gateway"))
    return;
  out.listen_gateway = false;
  out.listen_address = read_address(*address, label(fields, "address"), problems);
}

void read_server(const Node& node, const std::string& what, model::Terminate& out,
                 Problems& problems) {
  Fields fields(node, what + ": 'server'", {"name", "address", "port"}, problems);
  if (!fields.usable()) return;
  out.server_port = read_port(fields, "port", "8883");
  // The certificate is verified against the name and nothing else, so there is no server without.
  if (const Node* name = fields.require("name", "broker.example"); name != nullptr)
    out.server_name = read_host_name(*name, label(fields, "name"), problems).value_or("");
  if (const Node* address = fields.find("address"); address != nullptr)
    out.server_address = read_address(*address, label(fields, "address"), problems);
}

void read_inbound(Fields& fields, model::Terminate& out) {
  constexpr std::string_view kListen = "{ address: gateway, port: 802 }";
  if (const Node* listen = fields.require("listen", kListen); listen != nullptr)
    read_listen(*listen, fields.what(), out, fields.problems());
  out.certificate = read_credential(fields, "certificate", true, "the name of a certificate");
  if (const auto index = fields.choice("client-auth", {"required", "optional", "none"}))
    out.client_auth = static_cast<model::ClientAuth>(2 - *index);
  out.client_ca = read_credential(fields, "client-ca", out.client_auth != model::ClientAuth::kNone,
                                  "the name of the CA that signs the clients");
  if (out.client_auth == model::ClientAuth::kNone && !out.client_ca.empty())
    fields.problems().add(fields.at("client-ca"), "unused-client-ca",
                          fields.what() + ": 'client-ca' without 'client-auth' checks nobody",
                          "client-auth: required");
}

void read_outbound(Fields& fields, model::Terminate& out) {
  constexpr std::string_view kServer = "{ name: broker.example, port: 8883 }";
  if (const Node* server = fields.require("server", kServer); server != nullptr)
    read_server(*server, fields.what(), out, fields.problems());
  out.server_ca =
      read_credential(fields, "server-ca", true, "the name of the CA that signs the server");
  out.certificate = read_credential(fields, "certificate", false, "the name of a certificate");
}

model::Terminate read_terminate(const Node& node, const std::string& what, Problems& problems) {
  model::Terminate out;
  Fields fields(
      node, what + ": 'terminate'",
      {"side", "listen", "server", "certificate", "client-auth", "client-ca", "server-ca"},
      problems);
  if (!fields.usable()) return out;
  fields.require("side", "inbound or outbound");
  const auto side = fields.choice("side", {"inbound", "outbound"});
  if (!side) return out;
  out.side = static_cast<model::Side>(*side);
  const bool inbound = out.side == model::Side::kInbound;
  const auto refuse = [&](std::string_view key) {
    if (fields.find(key) == nullptr) return;
    problems.add(fields.at(key), "wrong-side",
                 fmt::format("{}: '{}' goes with side: {}", fields.what(), key,
                             inbound ? "outbound" : "inbound"),
                 inbound ? "listen, certificate, client-auth and client-ca, or side: outbound"
                         : "server, server-ca and certificate, or side: inbound");
  };
  if (inbound) {
    refuse("server");
    refuse("server-ca");
    read_inbound(fields, out);
  } else {
    refuse("listen");
    refuse("client-auth");
    refuse("client-ca");
    read_outbound(fields, out);
  }
  return out;
}

std::vector<std::uint8_t> read_bytes(Fields& fields, std::string_view key, std::uint64_t least) {
  std::vector<std::uint8_t> out;
  for (const Node* item : fields.list(key)) {
    const auto text = scalar(*item, label(fields, key), "1", fields.problems());
    if (!text) continue;
    const auto value = parse_number(*text);
    if (value && *value >= least && *value <= 255) {
      out.push_back(static_cast<std::uint8_t>(*value));
      continue;
    }
    fields.problems().add(item->at, "bad-number",
                          fmt::format("{} holds '{}', not a whole number from {} to 255",
                                      label(fields, key), quote(*text), least),
                          "[1, 2, 3, 4]");
  }
  if (const Node* list = fields.find(key);
      list != nullptr && list->kind == NodeKind::kSequence && list->items.empty())
    fields.problems().add(fields.at(key), "empty-list",
                          fmt::format("{} lists nothing", label(fields, key)),
                          "the numbers that may pass, or leave the key out to let all pass");
  return out;
}

model::Inspect read_inspect(const Node& node, const std::string& what, Problems& problems) {
  model::Inspect out;
  Fields fields(node, what + ": 'inspect'", {"modbus"}, problems);
  const Node* modbus = fields.require("modbus", "{ functions: [1, 2, 3, 4], units: [1] }");
  if (modbus == nullptr) return out;
  Fields inner(*modbus, what + ": 'modbus'", {"functions", "units"}, problems);
  if (!inner.usable()) return out;
  out.modbus.emplace();
  out.modbus->functions = read_bytes(inner, "functions", 1);
  out.modbus->units = read_bytes(inner, "units", 0);
  return out;
}

model::AdmissionSpec read_admission(const Node& node, const std::string& what, Problems& problems) {
  model::AdmissionSpec out;
  Fields fields(node, what + ": 'admission'", {"inflight", "rate", "per-device"}, problems);
  out.inflight = static_cast<std::uint32_t>(fields.number("inflight", 1, 65535, "32").value_or(0));
  if (const Node* rate = fields.find("rate"); rate != nullptr)
    out.rate_per_s = read_rate(*rate, label(fields, "rate"), problems).value_or(0);
  if (const Node* rate = fields.find("per-device"); rate != nullptr)
    out.per_device_per_s = read_rate(*rate, label(fields, "per-device"), problems).value_or(0);
  return out;
}

constexpr std::string_view name_of(IpProtocol protocol) {
  return protocol == IpProtocol::kIcmp || protocol == IpProtocol::kIcmp6 ? "ICMP echo"
         : protocol == IpProtocol::kUdp                                  ? "UDP"
                                                                         : "TCP";
}

// `protocol` is the service's; nothing if the service is not known.
model::Timeouts read_timeouts(const Node& node, const std::string& what,
                              std::optional<IpProtocol> protocol, Problems& problems) {
  model::Timeouts out;
  Fields fields(node, what + ": 'timeouts'",
                {"established", "transitory", "half-open", "udp", "icmp"}, problems);
  if (!fields.usable()) return out;
  for (std::size_t i = 0; i < kTimeoutClasses; ++i) {
    const TimeoutInfo& info = kTimeouts[i];
    const Node* value = fields.find(info.name);
    if (value == nullptr) continue;
    if (protocol && !applies(info, *protocol)) {
      std::vector<std::string_view> others;
      for (const TimeoutInfo& other : kTimeouts)
        if (applies(other, *protocol)) others.push_back(other.name);
      problems.add(value->at, "wrong-timeout",
                   fmt::format("{}: '{}' is for {}, and the service is {}", fields.what(),
                               info.name, name_of(info.protocol), name_of(*protocol)),
                   fmt::format("{}", fmt::join(others, ", ")));
      continue;
    }
    out.seconds[i] =
        read_duration(*value, label(fields, info.name), info.least_s, info.most_s, problems)
            .value_or(0);
  }
  return out;
}

std::optional<model::ServiceSpec> read_service(Fields& fields) {
  constexpr std::string_view kHint =
      "a known service such as modbus, or tcp/502, tcp/20000-20100, udp/5683, icmp-echo";
  const auto text = fields.word("service", true, kHint);
  if (!text) return std::nullopt;
  if (auto service = parse_service(*text)) return service;
  std::vector<std::string_view> names;
  for (const KnownService& service : known_services()) names.push_back(service.name);
  const std::string_view meant = nearest(*text, names.data(), names.size());
  fields.problems().add(fields.at("service"), "unknown-service",
                        fmt::format("{}: there is no service '{}'", fields.what(), quote(*text)),
                        std::string(meant.empty() ? kHint : meant));
  return std::nullopt;
}

}  // namespace

model::Conduit read_conduit(const std::string& name, model::Position at, const Node& node,
                            Problems& problems) {
  model::Conduit out;
  out.name = name;
  out.at = at;
  const std::string what = "conduit " + quote(name);
  Fields fields(node, what,
                {"from", "to", "service", "terminate", "inspect", "admission", "timeouts", "review",
                 "plaintext"},
                problems);
  if (!fields.usable()) return out;
  if (const Node* from = fields.require("from", "a device's name or { segment: uplink }"))
    out.from = read_end(*from, what + ": 'from'", "source", problems);
  if (const Node* to = fields.require("to", "a device's name or { name: broker.example }"))
    out.to = read_end(*to, what + ": 'to'", "destination", problems);
  const auto service = read_service(fields);
  out.service = service.value_or(model::ServiceSpec{});
  if (const Node* part = fields.find("terminate"))
    out.terminate = read_terminate(*part, what, problems);
  if (const Node* part = fields.find("inspect")) out.inspect = read_inspect(*part, what, problems);
  if (const Node* part = fields.find("admission"))
    out.admission = read_admission(*part, what, problems);
  if (const Node* part = fields.find("timeouts"))
    out.timeouts = read_timeouts(
        *part, what, service ? std::optional(service->protocol) : std::nullopt, problems);
  if (const Node* part = fields.find("review")) out.review = read_review(*part, what, problems);
  out.plaintext_accepted = fields.choice("plaintext", {"accepted"}).has_value();
  return out;
}

}  // namespace sallyport::control
