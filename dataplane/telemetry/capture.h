// What passed, with the verdict on each packet: the newest kSlots packets as they came in, and
// packets that the gateway made itself. Filled by the worker without allocation; read by the
// control thread once the worker writes into another one.
//
// Packets are numbered through all buffers of a capture, so one that was held while buffers changed
// finds no record of its own and is shown as it leaves.
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

  // Empty, and numbering goes on behind `other`'s last one. Not while a worker writes into this
  // one.
  void continue_from(const Capture& other) noexcept;
  // Oldest first.
  std::vector<const Record*> records() const;
  // Packets that newer ones pushed out.
  std::uint64_t missed() const noexcept {
    const std::uint64_t seen = written_ - first_;
    return seen > kSlots ? seen - kSlots : 0;
  }

 private:
  Record& open(const PacketMeta& meta, ConstBytes bytes) noexcept;
  // The record of a packet, unless newer ones took its place.
  Record* of(const PacketMeta& meta) noexcept;
  std::vector<Record> records_;
  std::uint64_t first_ = 0;  // written before this buffer's turn
  std::uint64_t written_ = 0;
  Instant now_;
};

}  // namespace sallyport::dataplane
