#include "dataplane/telemetry/capture.h"

#include <algorithm>

namespace sallyport::dataplane {

bool TracedFlow::concerns(const Headers& h) const noexcept {
  const auto is = [&](const IpAddress& a, std::uint16_t a_port, const IpAddress& b,
                      std::uint16_t b_port) {
    return h.source == a && h.destination == b && (a_port == 0 || h.source_port == a_port) &&
           (b_port == 0 || h.destination_port == b_port);
  };
  return h.is_ip() && h.protocol == key.protocol &&
         (is(key.source, key.source_port, key.destination, key.destination_port) ||
          is(key.destination, key.destination_port, key.source, key.source_port));
}

bool Capture::concerns(const Headers& headers) const noexcept {
  return traced_->concerns(headers) ||
         std::ranges::any_of(std::span(followed_).first(followed_count_),
                             [&](const TracedFlow& one) { return one.concerns(headers); });
}

void Capture::follow(const Headers& came, const Headers& went) noexcept {
  if (!traced_ || followed_count_ == kMaxFollowed || concerns(went) || !concerns(came)) return;
  followed_[followed_count_++] = {
      {went.source, went.destination, went.source_port, went.destination_port, went.protocol}};
}

Capture::Record& Capture::open(const PacketMeta& meta, ConstBytes bytes) noexcept {
  Record& r = records_[++written_ % kSlots];
  r.number = written_;
  r.when = now_;
  r.port = meta.port;
  r.segment = meta.segment;
  r.origin = meta.origin;
  r.made_here = r.decided = r.allowed = false;
  r.stages = 0;
  r.device = meta.device;
  r.came = r.went = meta.headers;
  r.size = static_cast<std::uint16_t>(std::min(bytes.size(), kSnap));
  std::ranges::copy(bytes.first(r.size), r.bytes.begin());
  return r;
}

void Capture::note(Record& record, const PacketMeta& meta) noexcept {
  record.stages = meta.stages;
  record.segment = meta.segment;
  record.device = meta.device;
  record.went = meta.headers;
}

Capture::Record* Capture::of(const PacketMeta& meta) noexcept {
  Record& r = records_[meta.capture_number % kSlots];
  return meta.capture_number != 0 && r.number == meta.capture_number ? &r : nullptr;
}

void Capture::arrived(Packet& packet, Instant now) noexcept {
  now_ = now;
  packet.meta().capture_number = 0;
  if (traced_) return;
  const Record& r = open(packet.meta(), packet.bytes());
  packet.meta().capture_number = r.number;
}

std::uint64_t Capture::parsed(const ParsedPacket& packet, Instant now) noexcept {
  now_ = now;
  if (!traced_ || !concerns(packet.headers())) return 0;
  return open(packet.meta(), packet.bytes()).number;
}

void Capture::ended(const Packet& packet, Drop reason) noexcept {
  if (Record* r = of(packet.meta())) {
    r->decided = true;
    r->allowed = false;  // also if it was let go and then not taken
    r->reason = reason;
    note(*r, packet.meta());
  }
}

void Capture::left(const Allowed& allowed) noexcept {
  Record* r = of(allowed.meta());
  if (r == nullptr && traced_ && !concerns(allowed.meta().headers)) return;
  if (r == nullptr) {
    r = &open(allowed.meta(), allowed.bytes());
    r->made_here = true;
  }
  r->decided = r->allowed = true;
  r->rule = allowed.rule();
  r->exit = allowed.exit();
  note(*r, allowed.meta());
  follow(r->came, r->went);
}

void Capture::waits(const Allowed& allowed) noexcept {
  Record* r = of(allowed.meta());
  if (r == nullptr) return;
  r->rule = allowed.rule();
  note(*r, allowed.meta());
  follow(r->came, r->went);
}

void Capture::handed_over(std::uint64_t number) noexcept {
  Record& r = records_[number % kSlots];
  if (number != 0 && r.number == number) r.number = 0;
}

void Capture::continue_from(const Capture& other) noexcept {
  for (Record& r : records_) r.number = 0;
  first_ = written_ = other.written_;
  traced_ = other.traced_;
  followed_ = other.followed_;
  followed_count_ = other.followed_count_;
}

std::vector<const Capture::Record*> Capture::records() const {
  std::vector<const Record*> out;
  for (const Record& r : records_) {
    if (r.number != 0) out.push_back(&r);
  }
  std::ranges::sort(out, {}, &Record::number);
  return out;
}

}  // namespace sallyport::dataplane
