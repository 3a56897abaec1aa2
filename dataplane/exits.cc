#include "dataplane/exits.h"

#include <algorithm>

#include "dataplane/stages/bind.h"
#include "dataplane/stages/enforce_policy.h"
#include "dataplane/stages/fields.h"
#include "dataplane/stages/parse.h"
#include "dataplane/stages/pieces.h"

namespace sallyport::dataplane {
namespace {

void add(LineVector<std::uint16_t>& slots, std::uint16_t slot) {
  const auto at = std::ranges::lower_bound(slots, slot);
  if (at == slots.end() || *at != slot) slots.insert(at, slot);
}

inline DropKey key_of(const Packet& packet, const PlainFrame& plain, Refused refused) noexcept {
  const auto link = fixed<kEthernetSize>(packet.bytes(), 0);
  return DropKey({.segment = refused.segment(),
                  .port = packet.meta().port,
                  .device = refused.device(),
                  .mac = field<std::uint64_t, 6>(link) << 16 >> 16,
                  .reason = refused.reason(),
                  .protocol = static_cast<std::uint8_t>(plain.key.protocol),
                  .destination_port = plain.key.destination_port,
                  .destination = plain.key.destination.words()});
}

}  // namespace

Exits::Exits(Counters& counters, Volumes& volumes)
    : ports_(kMaxSlots),
      host_stacks_(kMaxSlots),
      ports_elsewhere_(kMaxSlots),
      counters_(counters),
      volumes_(volumes),
      records_(kDropRecords) {}

void Exits::drop(Dropped&& gone, Instant now) noexcept {
  PacketMeta& meta = gone.packet.meta();
  if (meta.bare) [[unlikely]]
    meta.bare = parse_frame(gone.packet.bytes(), meta.headers).has_value();
  meta.stages |= stage_bit(Stage::kDrop);
  ++counters_.drop(gone.reason);
  volumes_.dropped(meta.segment);
  const Headers& h = meta.headers;
  DropKey::Of key;
  key.segment = meta.segment;
  key.port = meta.port;
  key.device = meta.device;
  key.mac = mac_word(h.source_mac);
  key.reason = gone.reason;
  // Addresses are known only where the parser got that far.
  if (h.l4 != 0 || h.message == Message::kArp) {
    key.protocol = h.is_ip() ? static_cast<std::uint8_t>(h.protocol) : std::uint8_t{0};
    key.destination_port = h.service_port();
    key.destination = h.destination.words();
  }
  const auto example = [&] {
    return DropExample{h.source, h.source_port, h.vlan, h.tcp_flags, revision_};
  };
  records_.record(DropKey(key), example, now);
  if (observer_ != nullptr) observer_->ended(gone.packet, gone.reason);
  gone_.take(std::move(gone.packet));
}

inline void Exits::note(const Packet& packet, Refused refused) noexcept {
  volumes_.came(refused.segment(), packet.bytes().size());
  ++counters_.drop(refused.reason());
  volumes_.dropped(refused.segment());
}

inline DropExample Exits::example_of(const Packet& packet, const PlainFrame& plain) const noexcept {
  return {plain.key.source, plain.key.source_port, plain.vlan,
          plain_transport(packet.bytes(), plain).tcp_flags, revision_};
}

void Exits::turn_away(Packet&& packet, const PlainFrame& plain, Refused refused,
                      Instant now) noexcept {
  note(packet, refused);
  records_.record(key_of(packet, plain, refused), [&] { return example_of(packet, plain); }, now);
  gone_.take(std::move(packet));
}

void Exits::turn_away(std::span<const TurnedAway> gone, Instant now) noexcept {
  SALLYPORT_CHECK(gone.size() <= drops_.size());
  Recording* next = drops_.data();
  for (const TurnedAway& one : gone) {
    note(*one.packet, one.refused);
    next->key = key_of(*one.packet, *one.plain, one.refused);
    next->hash = records_.prepare(next->key);
    ++next;
  }
  for (const Recording& at : std::span(drops_.data(), next)) records_.approach(at.key, at.hash);
  next = drops_.data();
  for (const TurnedAway& one : gone) {
    records_.record(
        next->key, next->hash, [&] { return example_of(*one.packet, *one.plain); }, now);
    gone_.take(std::move(*one.packet));
    ++next;
  }
}

void Exits::send(Allowed&& allowed, Instant now) noexcept {
  const Exit& exit = allowed.exit();
  if (exit.kind == Exit::Kind::kHostStack) {
    allowed.packet_.meta().stages |= stage_bit(Stage::kHostStack);
    if (exit.segment >= kMaxSlots || !host_stacks_[exit.segment].present()) {
      return to_other(stacks_elsewhere_, std::move(allowed), Drop::kHostStackBusy, now);
    }
    if (observer_ != nullptr) observer_->left(allowed);
    volumes_.left(allowed);
    // Once in the ring it is the TAP thread's.
    const RuleSlot rule = allowed.rule();
    if (!host_stacks_[exit.segment].send(allowed)) {
      return drop({std::move(allowed.packet_), Drop::kHostStackBusy}, now);
    }
    ++counters_.to_host;
    if (rule >= kFirstBuiltinRule) ++counters_.builtin[rule - kFirstBuiltinRule];
    host_stack_pending_ = true;
    return;
  }
  TxPort* const port = own_port(exit.port);
  if (port == nullptr) {
    PermittedRing* const ring = exit.port < kMaxSlots ? ports_elsewhere_[exit.port] : nullptr;
    return to_other(ring, std::move(allowed), Drop::kPortDown, now);
  }
  if (allowed.meta().largest_fragment != 0) return send_in_pieces(*port, std::move(allowed), now);
  to_port(*port, std::move(allowed), now);
}

[[gnu::always_inline]] inline void Exits::to_port(TxPort& port, Allowed&& allowed,
                                                  Instant now) noexcept {
  if (observer_ != nullptr) observer_->left(allowed);
  if (allowed.rule() >= kFirstBuiltinRule) ++counters_.builtin[allowed.rule() - kFirstBuiltinRule];
  put(port, std::move(allowed), now);
}

// Its last record is this worker's; where it goes it has none.
void Exits::to_other(PermittedRing* ring, Allowed&& allowed, Drop otherwise, Instant now) noexcept {
  if (ring == nullptr) return drop({std::move(allowed.packet_), otherwise}, now);
  if (observer_ != nullptr) observer_->left(allowed);
  const std::uint64_t number = std::exchange(allowed.packet_.meta().capture_number, 0);
  std::optional<Allowed> crossing(std::move(allowed));
  if (ring->push(crossing)) {
    ++counters_.handed_over;
    return;
  }
  crossing->packet_.meta().capture_number = number;
  drop({std::move(crossing->packet_), Drop::kWorkerBusy}, now);
}

void Exits::send_for_other(Allowed&& allowed, Instant now) noexcept {
  ++counters_.taken_over;
  VerdictObserver* const observer = std::exchange(observer_, nullptr);
  send(std::move(allowed), now);
  observer_ = observer;
}

void Exits::hand_over(Packet&& packet, PacketRing& to, Instant now) noexcept {
  const std::uint64_t number = std::exchange(packet.meta().capture_number, 0);
  if (!to.push(packet)) {
    packet.meta().capture_number = number;
    return drop({std::move(packet), Drop::kWorkerBusy}, now);
  }
  if (observer_ != nullptr) observer_->handed_over(number);
  ++counters_.handed_over;
}

void Exits::send_in_pieces(TxPort& port, Allowed&& whole, Instant now) noexcept {
  Pieces pieces = pieces_ == nullptr ? Pieces{} : cut(whole.packet_, *pieces_);
  if (pieces.count == 0) return drop({std::move(whole.packet_), Drop::kNoBuffer}, now);
  counters_.originated += pieces.count - 1;
  for (Packet& piece : std::span(pieces.packets).first(pieces.count))
    to_port(port, EnforcePolicy::piece_of(whole, std::move(piece)), now);
}

void Exits::flush_port(TxPort& port, Instant now) noexcept {
  counters_.forwarded +=
      port.flush([&](Packet&& packet) { drop({std::move(packet), Drop::kTxQueueFull}, now); });
}

void Exits::flush(Instant now) noexcept {
  for (const PortSlot slot : present_ports_) flush_port(ports_[slot], now);
  gone_.empty();
}

void Exits::attach_port(PortSlot slot, PortDriver& driver) {
  SALLYPORT_CHECK(slot < kMaxSlots);
  ports_[slot] = TxPort(driver);
  add(present_ports_, slot);
}

void Exits::reach_port(PortSlot slot, PermittedRing& ring) {
  SALLYPORT_CHECK(slot < kMaxSlots);
  ports_elsewhere_[slot] = &ring;
}

void Exits::attach_host_stack(SegmentSlot segment, HostStackRings& rings) {
  SALLYPORT_CHECK(segment < kMaxSlots);
  host_stacks_[segment] = HostStackPort(rings);
  add(present_stacks_, segment);
}

void Exits::detach_host_stack(SegmentSlot segment) noexcept {
  if (segment >= kMaxSlots) return;
  host_stacks_[segment] = HostStackPort();
  std::erase(present_stacks_, segment);
}

}  // namespace sallyport::dataplane
