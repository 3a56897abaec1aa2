// How packets come in: a burst is parsed, its flows are looked up together, and what an open flow
// has nothing else to do with is sent on at once. The rest goes through the stages (pipeline.cc).
#include "dataplane/pipeline.h"
#include "dataplane/stages/bind.h"
#include "dataplane/stages/classify.h"

namespace sallyport::dataplane {

// --- in ----------------------------------------------------------------------------------------

void Pipeline::from_port(PortSlot port, std::span<Packet> burst, Instant now) noexcept {
  for (Packet& packet : burst) packet.prefetch();
  intruders_.begin_burst(port);
  if (crew_) hear(now);
  counters_.received += burst.size();
  for (Packet& packet : burst) packet.meta().port = port;
  enter(burst, now);
  flow_packets(now);
}

void Pipeline::from_host(SegmentSlot segment, std::span<Packet> burst, Instant now) noexcept {
  ask_for(burst);
  for (Packet& packet : burst) {
    packet.meta().segment = segment;
    packet.meta().origin = Origin::kHostStack;
  }
  counters_.from_host += burst.size();
  counters_.received += burst.size();
  intruders_.begin_burst(kNoPort);
  if (crew_) hear(now);
  enter(burst, now);
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
  const bool intruders = intruders_.expected();
  std::size_t count = waiting_count_;
  SALLYPORT_CHECK(burst.size() <= kMaxBurst - count);
  for (Packet& packet : burst) {
    Waiting& waiting = waiting_.data()[count];
    PlainFrame& frame = waiting.frame;
    if (!watched && packet.meta().is_from_wire() && parse_plain(packet.bytes(), frame)) [[likely]] {
      if (intruders && turned_away(packet, frame, now)) continue;
      if (Dhcp::might_concern(frame.key)) [[unlikely]] {
        described(packet, frame, now,
                  [&](ParsedPacket&& parsed) { by_sender(std::move(parsed), nullptr, now); });
        continue;
      }
    } else if (!enter_described(packet, frame, now)) {
      continue;
    }
    waiting.packet = &packet;
    ++count;
  }
  waiting_count_ = count;
}

[[gnu::flatten]] bool Pipeline::turned_away(Packet& packet, const PlainFrame& frame,
                                            Instant now) noexcept {
  const auto refused = Bind::refuses(packet.bytes(), frame, packet.meta().port, *tables_);
  if (!refused) return false;
  intruders_.note(refused->reason());
  exits_.turn_away(std::move(packet), frame, *refused, now);
  return true;
}

// By the general parser; false if it is not a flow's.
bool Pipeline::enter_described(Packet& packet, PlainFrame& frame, Instant now) noexcept {
  auto parsed = parse(std::move(packet), now);
  if (!parsed) return false;
  const Headers& h = parsed->headers();
  const FlowKey key = key_of(h);
  if ((h.message != Message::kTcp && h.message != Message::kUdp) || Dhcp::might_concern(key)) {
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
  // No pointer to a member: it would be asked for each packet.
  const bool some_begin = flows_.approach(
      burst, [](const Waiting& waiting) -> const FlowKey& { return waiting.frame.key; },
      [](auto& waiting) -> auto& { return waiting.looking; });
  if (some_begin) ask_ahead(burst, now);
  open_flow_.begin_burst();
  const OpenFlow::Burst same{*tables_, now, FlowTime::at(now)};
  for (const Waiting& waiting : burst) {
    Packet& packet = *waiting.packet;
    const PlainFrame& frame = waiting.frame;
    const FlowMatch match = flows_.find(frame.key, waiting.looking);
    if (frame.described) [[unlikely]] {
      looked_up(Parse::again(std::move(packet)), match, now);
    } else if (!match) {
      begins(waiting, now);
    } else if (!open_flow_.send_on(packet, frame, match, same)) {
      described(packet, frame, now,
                [&](ParsedPacket&& parsed) { looked_up(std::move(parsed), match, now); });
    }
  }
  if (const std::size_t count = std::exchange(turned_away_count_, 0))
    exits_.turn_away(std::span(turned_away_.data(), count), now);
}

// --- no flow ------------------------------------------------------------------------------------

// One packet waits for several lines of memory, each of which says where the next one is; those of
// a burst do not wait for each other. So each step is taken for all before the next one.
[[gnu::flatten]] void Pipeline::ask_ahead(std::span<const Waiting> burst, Instant now) noexcept {
  for (const Waiting& waiting : burst)
    if (asked_ahead(waiting)) locate(waiting, beginning_of(waiting));
  for (const Waiting& waiting : burst)
    if (asked_ahead(waiting)) decide(waiting, beginning_of(waiting), now);
}

// Who sends it, and where both ends are.
void Pipeline::locate(const Waiting& waiting, Beginning& out) const noexcept {
  const ConstBytes bytes = std::as_const(*waiting.packet).bytes();
  const PlainFrame& frame = waiting.frame;
  const PortSlot port = waiting.packet->meta().port;
  decide::Verdict& verdict = out.verdict;
  verdict.decision = {};
  out.sender = Bind::by_link(bytes, frame, port, *tables_, verdict.source);
  if (out.sender && !plausible(bytes, frame)) out.sender.reset();
  if (!out.sender) return;
  verdict.destination = tables_->classifier().locate(frame.key.destination);
  if (crew_)
    out.owner = crew_->owners().of(frame.key, verdict.source, verdict.destination, *tables_);
}

void Pipeline::decide(const Waiting& waiting, Beginning& located, Instant now) noexcept {
  const FlowKey& key = waiting.frame.key;
  decide::Verdict& verdict = located.verdict;
  if (!located.sender || !is_mine(located)) return;
  judge({located.sender->segment, decide::Origin::kWire, located.sender->device},
        {key.source, key.destination, static_cast<std::uint8_t>(key.protocol), key.source_port,
         key.destination_port},
        *tables_, names_.names(), now, verdict);
  if (!verdict.decision.allowed()) return;
  volumes_.ask_for(verdict.decision.rule());
  tables_->ask_for_link(verdict.destination.device);
}

// TCP or UDP, and no matter of the address service. Its headers are written down if it may open a
// flow.
void Pipeline::begins(const Waiting& waiting, Instant now) noexcept {
  Packet& packet = *waiting.packet;
  const PlainFrame& frame = waiting.frame;
  Beginning& beginning = beginning_of(waiting);
  if (!asked_ahead(waiting)) {
    locate(waiting, beginning);
    decide(waiting, beginning, now);
  }
  if (!beginning.sender) return flowless(packet, frame, now);
  const LinkSender& sender = *beginning.sender;
  // Whom policy denies may still be answering a flow of another worker's.
  if (!is_mine(beginning)) return hand_over(packet, frame, sender, beginning.owner, now);
  const decide::Verdict& verdict = beginning.verdict;
  if (!verdict.decision.allowed()) {
    turned_away_.data()[turned_away_count_++] = {
        &packet, &frame, {sender.device, sender.segment, verdict.reason}};
    return;
  }
  flows_.expect(frame.key, waiting.looking);
  volumes_.came(sender.segment, packet.bytes().size());
  first_packet(Bind::sent_by(Parse::describe(std::move(packet), frame), sender), verdict, now);
}

void Pipeline::flowless(Packet& packet, const PlainFrame& frame, Instant now) noexcept {
  described(packet, frame, now, [&](ParsedPacket&& parsed) {
    const FlowMatch none;
    by_sender(std::move(parsed), &none, now);
  });
}

}  // namespace sallyport::dataplane
