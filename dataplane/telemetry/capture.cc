#include "dataplane/telemetry/capture.h"

#include <algorithm>

namespace sallyport::dataplane {

Capture::Record& Capture::open(const PacketMeta& meta, ConstBytes bytes) noexcept {
  Record& r = records_[++written_ % kSlots];
  r.number = written_;
  r.when = now_;
  r.port = meta.port;
  r.segment = meta.segment;
  r.origin = meta.origin;
  r.made_here = r.decided = r.allowed = false;
  r.stages = 0;
  r.size = static_cast<std::uint16_t>(std::min(bytes.size(), kSnap));
  std::ranges::copy(bytes.first(r.size), r.bytes.begin());
  return r;
}

Capture::Record* Capture::of(const PacketMeta& meta) noexcept {
  Record& r = records_[meta.capture_number % kSlots];
  return meta.capture_number != 0 && r.number == meta.capture_number ? &r : nullptr;
}

void Capture::arrived(Packet& packet, Instant now) noexcept {
  now_ = now;
  const Record& r = open(packet.meta(), packet.bytes());
  packet.meta().capture_number = r.number;
}

void Capture::ended(const Packet& packet, Drop reason) noexcept {
  if (Record* r = of(packet.meta())) {
    r->decided = true;
    r->allowed = false;  // also if it was let go and then not taken
    r->reason = reason;
    r->stages = packet.meta().stages;
    r->segment = packet.meta().segment;
  }
}

void Capture::left(const Allowed& allowed) noexcept {
  Record* r = of(allowed.meta());
  if (r == nullptr) {
    r = &open(allowed.meta(), allowed.bytes());
    r->made_here = true;
  }
  r->decided = r->allowed = true;
  r->rule = allowed.rule();
  r->exit = allowed.exit();
  r->stages = allowed.meta().stages;
}

void Capture::continue_from(const Capture& other) noexcept {
  for (Record& r : records_) r.number = 0;
  first_ = written_ = other.written_;
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
