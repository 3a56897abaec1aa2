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
  for (Packet& packet : burst) {
    packet.meta().port = port;
    packet.meta().origin = Origin::kWire;
  }
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

void Pipeline::enter(std::span<Packet> burst, Instant now) noexcept {
  const bool watched = exits_.observer() != nullptr || tables_ == nullptr;
  std::size_t count = waiting_.count;
  SALLYPORT_CHECK(burst.size() <= kMaxBurst - count);
  for (Packet& packet : burst) {
    PlainFrame& frame = waiting_.frames.data()[count];
    if (!watched && packet.meta().is_from_wire() && parse_plain(packet.bytes(), frame)) [[likely]] {
      if (Dhcp::might_concern(frame.key) || (strangers_.expected() && is_stranger(packet)))
          [[unlikely]] {
        by_sender(Parse::describe(std::move(packet), frame), nullptr, now);
        continue;
      }
    } else if (!enter_described(packet, count, now)) {
      continue;
    }
    waiting_.hashes.data()[count] = flows_.prepare(frame.key);
    waiting_.packets.data()[count] = &packet;
    ++count;
  }
  waiting_.count = count;
}

// By the general parser; false if it is not a flow's.
bool Pipeline::enter_described(Packet& packet, std::size_t place, Instant now) noexcept {
  auto parsed = parse(std::move(packet), now);
  if (!parsed) return false;
  const Headers& h = parsed->headers();
  const FlowKey key = key_of(h);
  if ((h.message != Message::kTcp && h.message != Message::kUdp) || Dhcp::might_concern(key) ||
      (strangers_.expected() && is_stranger(*parsed))) {
    by_sender(*std::move(parsed), nullptr, now);
    return false;
  }
  waiting_.frames[place].key = key;
  waiting_.frames[place].described = true;
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
  const std::size_t count = std::exchange(waiting_.count, 0);
  for (FlowTable::Hash& hash : std::span(waiting_.hashes.data(), count)) flows_.approach(hash);
  const FlowTime tick = FlowTime::at(now);
  for (std::size_t i = 0; i < count; ++i) {
    Packet& packet = *waiting_.packets.data()[i];
    const PlainFrame& frame = waiting_.frames.data()[i];
    const FlowMatch match = flows_.find(frame.key, waiting_.hashes.data()[i]);
    if (frame.described) [[unlikely]] {
      looked_up(Parse::again(std::move(packet)), match, now);
    } else if (!match || !open_flow_.send_on(packet, frame, match, {*tables_, now, tick})) {
      looked_up(Parse::describe(std::move(packet), frame), match, now);
    }
  }
}

}  // namespace sallyport::dataplane
