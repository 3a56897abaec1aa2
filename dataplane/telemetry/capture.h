// A capture of what passed, with the verdict on each packet: the newest kSlots packets as they came
// in, and packets that the gateway made itself. Filled by the worker without allocation; turned
// into pcapng by the control thread once the worker has let go of it.
#pragma once

#include <vector>

#include "dataplane/exits.h"

namespace sallyport::dataplane {

class Capture final : public VerdictObserver {
 public:
  static constexpr std::size_t kSlots = 2048;  // a power of two
  static constexpr std::size_t kSnap = 2048;

  struct Record {
    std::uint64_t number = 0;  // 0 = empty; order of arrival
    Instant when;
    PortSlot port = kNoPort;
    SegmentSlot segment = kNoSegment;
    Origin origin = Origin::kWire;
    bool made_here = false;
    bool decided = false;
    bool allowed = false;
    Drop reason = Drop::kDefaultDeny;
    RuleSlot rule = 0;
    Exit exit;
    std::uint16_t stages = 0;
    std::uint16_t size = 0;
    std::array<std::uint8_t, kSnap> bytes;
  };

  Capture() : records_(kSlots) {}
  void arrived(Packet& packet, Instant now) noexcept override;
  void ended(const Packet& packet, Drop reason) noexcept override;
  void left(const Allowed& allowed) noexcept override;

  // Oldest first.
  std::vector<const Record*> records() const;

 private:
  Record& open(const PacketMeta& meta, ConstBytes bytes) noexcept;
  // The record of a packet, unless newer ones took its place.
  Record* of(const PacketMeta& meta) noexcept;
  static std::uint16_t mark(std::uint64_t number) noexcept {
    return static_cast<std::uint16_t>(number % 65535 + 1);
  }
  std::vector<Record> records_;
  std::uint64_t written_ = 0;
  Instant now_;
};

}  // namespace sallyport::dataplane
