#include "tls-termination/session/plan.h"

#include <fmt/format.h>

namespace sallyport::terminator {
namespace {

ClientCertificate wish_of(wire::ClientAuth auth) {
  switch (auth) {
    case wire::ClientAuth::None:
      return ClientCertificate::kNone;
    case wire::ClientAuth::Optional:
      return ClientCertificate::kOptional;
    case wire::ClientAuth::Required:
      return ClientCertificate::kRequired;
  }
  return ClientCertificate::kRequired;
}

std::vector<std::uint8_t> values(const flatbuffers::Vector<std::uint8_t>* list) {
  return list == nullptr ? std::vector<std::uint8_t>()
                         : std::vector<std::uint8_t>(list->begin(), list->end());
}

bool same(const ListenerCredentials& a, const ListenerCredentials& b) {
  return a.certificate == b.certificate && a.client_certificate == b.client_certificate &&
         a.client_ca == b.client_ca;
}
bool same(const ServerCredentials& a, const ServerCredentials& b) {
  return a.server_name == b.server_name && a.server_ca == b.server_ca &&
         a.certificate == b.certificate;
}

void add_rule(const wire::SnapshotView& snapshot, std::uint32_t conduit, ConduitPlan& plan) {
  const auto rules = snapshot.rules();
  for (std::uint32_t slot = 0; slot < rules.size(); ++slot) {
    const wire::Rule& rule = rules[slot];
    if (rule.valid() == 0 || rule.conduit() != conduit || rule.kind() != wire::RuleKind::Terminate)
      continue;
    plan.rule = slot;
    return;
  }
}

Result<void> add_listeners(const wire::SnapshotView& snapshot, const wire::Termination& from,
                           ConduitPlan& plan) {
  if (from.listen_segments() == nullptr) return {};
  for (const std::uint16_t slot : *from.listen_segments()) {
    const wire::Segment* segment = snapshot.segment(slot);
    if (segment == nullptr)
      return fail(
          ErrorKind::kInvalid, "plan-no-segment",
          fmt::format("conduit {} listens in segment {}, which is not there", plan.name, slot));
    for (const IpVersion version : {IpVersion::k4, IpVersion::k6}) {
      const wire::Address* address = snapshot.host_address(slot, version);
      if (address == nullptr) continue;
      plan.listen.push_back(
          {std::string(wire::text(segment->name())), wire::to_ip(*address), from.listener_port()});
    }
  }
  return {};
}

Result<ConduitPlan> plan_of(const wire::SnapshotView& snapshot, const wire::Conduit& conduit) {
  const wire::Termination& from = *conduit.termination();
  ConduitPlan plan;
  plan.name = wire::text(conduit.name());
  add_rule(snapshot, conduit.slot(), plan);
  SALLYPORT_TRY_VOID(add_listeners(snapshot, from, plan));
  plan.tls_listener = from.tls_listener();
  plan.tls_server = from.tls_server();
  if (plan.tls_listener)
    plan.listener = {std::string(wire::text(from.certificate())), wish_of(from.client_auth()),
                     std::string(wire::text(from.client_ca()))};
  plan.server.server_name = wire::text(from.server_name());
  if (plan.tls_server) {
    plan.server.server_ca = wire::text(from.server_ca());
    plan.server.certificate = wire::text(from.certificate());
  }
  if (from.server_addresses() != nullptr)
    for (const wire::Address* address : *from.server_addresses())
      plan.server_addresses.push_back(wire::to_ip(*address));
  plan.server_port = from.server_port();
  plan.server_segment_slot = from.server_segment();
  const wire::Segment* segment = snapshot.segment(from.server_segment());
  if (segment == nullptr)
    return fail(ErrorKind::kInvalid, "plan-no-segment",
                fmt::format("the server of conduit {} is in no segment", plan.name));
  plan.server_segment = wire::text(segment->name());
  const auto said = [](std::uint16_t seconds) {
    return seconds == 0 ? std::nullopt : std::optional<Duration>(std::chrono::seconds(seconds));
  };
  plan.silences = {said(from.idle_s()), said(from.half_closed_s())};
  plan.inflight = from.inflight() == 0 ? kDefaultInflight : from.inflight();
  if (const wire::ModbusInspect* modbus = conduit.modbus())
    plan.modbus = ModbusPlan{values(modbus->functions()), values(modbus->units())};
  return plan;
}

}  // namespace

std::vector<std::string> ConduitPlan::credentials() const {
  std::vector<std::string> out;
  for (const std::string* used :
       {&listener.certificate, &listener.client_ca, &server.server_ca, &server.certificate})
    if (!used->empty()) out.push_back(*used);
  return out;
}

bool same_meaning(const ConduitPlan& a, const ConduitPlan& b) {
  return a.tls_listener == b.tls_listener && same(a.listener, b.listener) &&
         a.tls_server == b.tls_server && same(a.server, b.server) &&
         a.server_addresses == b.server_addresses && a.server_port == b.server_port &&
         a.server_segment == b.server_segment && a.modbus == b.modbus;
}

Result<std::vector<ConduitPlan>> plans_of(const wire::SnapshotView& snapshot) {
  std::vector<ConduitPlan> out;
  for (const wire::Conduit* conduit : *snapshot.root().conduits()) {
    if (!conduit->reviewed() || conduit->termination() == nullptr) continue;
    SALLYPORT_TRY(out.emplace_back(), plan_of(snapshot, *conduit));
  }
  return out;
}

}  // namespace sallyport::terminator
