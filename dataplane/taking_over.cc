// What passes between workers: packets that another one has read, what another one has permitted,
// and what it has learned.
#include "dataplane/pipeline.h"
#include "dataplane/stages/bind.h"

namespace sallyport::dataplane {

// Whose this packet is, if it is not this worker's.
std::optional<WorkerSlot> Pipeline::other_owner(const BoundPacket& packet) const noexcept {
  const WorkerSlot owner = crew_->owners().of(packet.bytes(), packet.headers(), *tables_);
  return owner == crew_->self() ? std::nullopt : std::optional(owner);
}

// Whose ends moved is another's now; here it would hear no answer.
bool Pipeline::is_mine(const Flow& flow) const noexcept {
  return !crew_ || crew_->owners().of(flow.client_key(), *tables_) == crew_->self();
}

// A packet that came over is not sent on: its owner changed while it crossed.
void Pipeline::hand_over(BoundPacket&& packet, WorkerSlot owner, bool came_over,
                         Instant now) noexcept {
  Packet raw = std::move(packet).release();
  if (came_over) return drop(std::move(raw), Drop::kWorkerBusy, now);
  exits_.hand_over(std::move(raw), crew_->to(owner).packets, now);
}

// The same of a plain frame, whose headers are written down where it is judged.
void Pipeline::hand_over(Packet& packet, const PlainFrame& frame, const LinkSender& sender,
                         WorkerSlot owner, Instant now) noexcept {
  PacketRing& to = crew_->to(owner).packets;
  if (came_over_ || to.full())
    return exits_.turn_away(std::move(packet), frame,
                            {sender.device, sender.segment, Drop::kWorkerBusy}, now);
  exits_.hand_over(std::move(packet), to, now);
}

// Before the packets that came after it: whoever was told a name may use it at once.
void Pipeline::hear(Instant now) noexcept {
  crew_->each_other([&](WorkerSlot other) {
    while (true) {
      const Notice notice = crew_->from(other).notices.pop();
      if (notice.kind == Notice::Kind::kNothing) return;
      if (tables_ == nullptr) continue;
      if (notice.kind == Notice::Kind::kName) names_.told(notice, *tables_, now);
      if (notice.kind == Notice::Kind::kWhoIs) neighbours_.asked_by(other, notice, *tables_, now);
      if (notice.kind == Notice::Kind::kIsAt) neighbours_.told(notice, *tables_, now);
    }
  });
}

// Judged under this worker's tables, as if they had come by a port of its own.
std::size_t Pipeline::judge_crossed(PacketRing& crossed, Instant now) noexcept {
  std::array<Packet, kMaxBurst> burst;
  const std::size_t count = crossed.pop(burst);
  ask_for(std::span(burst).first(count));
  hear(now);
  counters_.taken_over += count;
  intruders_.begin_burst(kNoPort);
  came_over_ = true;
  for (std::span rest = std::span(burst).first(count); !rest.empty();) {
    const auto joined = [](const Packet& packet) { return packet.meta().largest_fragment != 0; };
    const auto frames = static_cast<std::size_t>(std::ranges::find_if(rest, joined) - rest.begin());
    enter(rest.first(frames), now);
    rest = rest.subspan(frames);
    if (rest.empty()) break;
    if (exits_.observer() != nullptr) exits_.observer()->arrived(rest.front(), now);
    datagram(std::move(rest.front()), true, now);
    rest = rest.subspan(1);
  }
  flow_packets(now);
  came_over_ = false;
  return count;
}

std::size_t Pipeline::take_over(Instant now) noexcept {
  std::size_t done = 0;
  if (!crew_) return done;
  crew_->each_other([&](WorkerSlot other) {
    Crossing& in = crew_->from(other);
    // Most turns nothing has crossed; then a burst's room is not made either.
    if (in.packets.empty())
      hear(now);
    else
      done += judge_crossed(in.packets, now);
    for (std::size_t i = 0; i < kMaxBurst; ++i, ++done) {
      std::optional<Allowed> permitted = in.permitted.pop();
      if (!permitted) break;
      exits_.send_for_other(*std::move(permitted), now);
    }
  });
  return done;
}

}  // namespace sallyport::dataplane
