#include "dataplane/owner.h"

#include "dataplane/stages/parse.h"
#include "policy/base/hash.h"

namespace sallyport::dataplane {
namespace {

// Does an inside endpoint leave by this port of an own address, or might one
// (flow/port_mappings.h)?
bool stands_for_inside(const decide::Location& own, IpProtocol protocol, const IpAddress& address,
                       std::uint16_t port, const Tables& tables) {
  if (!own.is_gateway() || !address.is_v4() || !wire::is_nat_port(port)) return false;
  const SegmentInfo* segment = tables.segment(own.segment);
  return segment != nullptr && segment->napt44 && protocol != IpProtocol::kIcmp6;
}

bool terminates(const decide::Location& client, const decide::Location& server, IpProtocol protocol,
                std::uint16_t port, const Tables& tables) {
  if (!tables.terminates_at(server)) return false;
  const decide::Decision decision = tables.classifier().decide(
      client.source_class, server.destination_class, static_cast<std::uint8_t>(protocol), port);
  return decision.allowed() && decision.kind() == wire::RuleKind::Terminate;
}

bool has_no_ends(const Headers& h) {
  return h.is_neighbour() || h.is_for_router() || h.source.is_unspecified() ||
         h.destination.is_multicast() ||
         (h.destination.is_v4() && h.destination.v4_value() == 0xffffffff);
}

}  // namespace

Owners::Owners(std::size_t workers)
    : workers_(workers),
      ports_each_(
          static_cast<std::uint16_t>(PortShare().size() / std::max<std::size_t>(workers, 1))) {
  SALLYPORT_CHECK(workers > 0 && workers <= kMaxWorkers);
}

PortShare Owners::share(WorkerSlot worker) const noexcept {
  const auto first = static_cast<std::uint16_t>(wire::kFirstNatPort + worker * ports_each_);
  if (worker + 1U >= workers_) return {first, wire::kLastNatPort};
  return {first, static_cast<std::uint16_t>(first + ports_each_ - 1)};
}

WorkerSlot Owners::of_port(std::uint16_t port) const noexcept {
  const std::size_t place = static_cast<std::size_t>(port - wire::kFirstNatPort) / ports_each_;
  return static_cast<WorkerSlot>(std::min(place, workers_ - 1));
}

WorkerSlot Owners::of_ends(const decide::Location& source, const decide::Location& destination,
                           const IpAddress& a, const IpAddress& b) const noexcept {
  if (source.is_gateway() || destination.is_gateway()) return kFirstWorker;
  return of_others(source, destination, a, b);
}

WorkerSlot Owners::of_nobody(const IpAddress& a, const IpAddress& b) const noexcept {
  const auto [a_high, a_low] = a.words();
  const auto [b_high, b_low] = b.words();
  const std::uint64_t both =
      fold((a_high ^ b_high) + 0x9e3779b97f4a7c15U, (a_low ^ b_low) + 0xff51afd7ed558ccdU);
  return static_cast<WorkerSlot>(both % workers_);
}

WorkerSlot Owners::of(const FlowKey& key, const Tables& tables) const noexcept {
  return of(key, tables.classifier().locate(key.source),
            tables.classifier().locate(key.destination), tables);
}

WorkerSlot Owners::of_gateway(const FlowKey& key, const decide::Location& source,
                              const decide::Location& destination,
                              const Tables& tables) const noexcept {
  if (stands_for_inside(destination, key.protocol, key.destination, key.destination_port, tables))
    return of_port(key.destination_port);
  if (stands_for_inside(source, key.protocol, key.source, key.source_port, tables))
    return of_port(key.source_port);
  if (terminates(source, destination, key.protocol, key.destination_port, tables) ||
      terminates(destination, source, key.protocol, key.source_port, tables))
    return kFirstWorker;
  return of_ends(source, destination, key.source, key.destination);
}

WorkerSlot Owners::of(ConstBytes frame, const Headers& h, const Tables& tables) const noexcept {
  if (has_no_ends(h)) return kFirstWorker;
  if (h.message == Message::kIcmpError)
    if (const auto quote = parse_quote(frame, h))
      return of({quote->source, quote->destination, quote->source_port, quote->destination_port,
                 quote->protocol},
                tables);
  if (h.is_fragment() || h.message == Message::kIcmpError)
    return of_ends(tables.classifier().locate(h.source), tables.classifier().locate(h.destination),
                   h.source, h.destination);
  return of({h.source, h.destination, h.source_port, h.destination_port, h.protocol}, tables);
}

}  // namespace sallyport::dataplane
