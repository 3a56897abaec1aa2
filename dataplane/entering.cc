// How packets come in: a burst is parsed, its flows are looked up together, and what an open flow
// has nothing else to do with is sent on at once. The rest goes through the stages (pipeline.cc).
#include "dataplane/pipeline.h"
#include "dataplane/stages/bind.h"
#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {

// Of a frame that some parser took.
bool Pipeline::is_stranger(const auto& packet) const noexcept {
  return tables_->is_stranger(packet.meta().port, mac_at(packet.bytes(), kMacSize));
}

// --- in ----------------------------------------------------------------------------------------

void Pipeline::from_port(PortSlot port, std::span<Packet> burst, Instant now) noexcept {
  for (Packet& packet : burst) packet.prefetch();
  strangers_.begin_burst(port);
  if (crew_) hear(now);
  counters_.received += burst.size();
  for (Packet& packet : burst) packet.meta().port = port;
  enter(burst, now);
  flow_packets(now);
}

void Pipeline::from_host(SegmentSlot segment, Packet&& packet, Instant now) noexcept {
  packet.meta().segment = segment;
  packet.meta().origin = Origin::kHostStack;
  ++counters_.from_host;
  ++counters_.received;
  strangers_.begin_burst(kNoPort);
  if (crew_) hear(now);
  enter(std::span(&packet, 1), now);
  flow_packets(now);
}

// --- parse --------------------------------------------------------------------------------------

// The stages from parse on, for a frame that parse_plain() took and nobody observes.
template <class Next>
[[gnu::always_inline]] inline void Pipeline::described(Packet& packet, const PlainFrame& frame,
                                                       Instant now, Next next) noexcept {
  if (plausible(packet.bytes(), frame)) [[likely]]
    next(Parse::describe(std::move(packet), frame));
  else if (auto parsed = parse(std::move(packet), now))
    next(*std::move(parsed));
}

void Pipeline::enter(std::span<Packet> burst, Instant now) noexcept {
  const bool watched = exits_.observer() != nullptr || tables_ == nullptr;
  const bool strangers = strangers_.expected();
  std::size_t count = waiting_count_;
  SALLYPORT_CHECK(burst.size() <= kMaxBurst - count);
  for (Packet& packet : burst) {
    Waiting& waiting = waiting_.data()[count];
    PlainFrame& frame = waiting.frame;
    if (!watched && packet.meta().is_from_wire() && parse_plain(packet.bytes(), frame)) [[likely]] {
      if (Dhcp::might_concern(frame.key) || (strangers && is_stranger(packet))) [[unlikely]] {
        described(packet, frame, now,
                  [&](ParsedPacket&& parsed) { by_sender(std::move(parsed), nullptr, now); });
        continue;
      }
    } else if (!enter_described(packet, frame, now)) {
      continue;
    }
    flows_.prepare(frame.key, waiting.looking);
    waiting.packet = &packet;
    ++count;
  }
  waiting_count_ = count;
}

// By the general parser; false if it is not a flow's.
bool Pipeline::enter_described(Packet& packet, PlainFrame& frame, Instant now) noexcept {
  auto parsed = parse(std::move(packet), now);
  if (!parsed) return false;
  const Headers& h = parsed->headers();
  const FlowKey key = key_of(h);
  if ((h.message != Message::kTcp && h.message != Message::kUdp) || Dhcp::might_concern(key) ||
      (strangers_.expected() && is_stranger(*parsed))) {
    by_sender(*std::move(parsed), nullptr, now);
    return false;
  }
  frame.key = key;
  frame.described = true;
  packet = (*std::move(parsed)).release();
  return true;
}

std::optional<ParsedPacket> Pipeline::parse(Packet&& packet, Instant now) noexcept {
  if (exits_.observer() != nullptr) exits_.observer()->arrived(packet, now);
  auto parsed = Parse::run(std::move(packet));
  if (!parsed) {
    exits_.drop(std::move(parsed).error(), now);
    return std::nullopt;
  }
  if (exits_.observer() != nullptr)
    if (const std::uint64_t number = exits_.observer()->parsed(*parsed, now))
      parsed->number(number);
  if (tables_ != nullptr) return *std::move(parsed);
  drop(std::move(*parsed).release(), Drop::kNoSnapshot, now);
  return std::nullopt;
}

// --- flow table ---------------------------------------------------------------------------------

void Pipeline::flow_packets(Instant now) noexcept {
  const std::span burst(waiting_.data(), std::exchange(waiting_count_, 0));
  if (burst.empty()) return;
  for (Waiting& waiting : burst) flows_.approach(waiting.looking);
  open_flow_.begin_burst();
  const OpenFlow::Burst same{*tables_, now, FlowTime::at(now)};
  for (const Waiting& waiting : burst) {
    Packet& packet = *waiting.packet;
    const PlainFrame& frame = waiting.frame;
    const FlowMatch match = flows_.find(frame.key, waiting.looking);
    if (frame.described) [[unlikely]] {
      looked_up(Parse::again(std::move(packet)), match, now);
    } else if (!match || !open_flow_.send_on(packet, frame, match, same)) {
      described(packet, frame, now,
                [&](ParsedPacket&& parsed) { looked_up(std::move(parsed), match, now); });
    }
  }
}

}  // namespace sallyport::dataplane
