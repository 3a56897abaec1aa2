// What passed, with the verdict on each packet: the newest kSlots packets as they came in, and
// packets that the gateway made itself. Filled by the worker without allocation; read by the
// control thread once the worker writes into another one.
//
// A capture of one flow (`trace`) keeps only packets with these ends, in either direction, and what
// they became when they were rewritten. It sees packets once they are parsed: a frame that does not
// parse has no ends.
//
// Packets are numbered through all buffers of a capture, so one that was held while buffers changed
// finds no record of its own and is shown as it leaves.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "dataplane/exits.h"
#include "dataplane/flow/flow.h"

namespace sallyport::dataplane {

// Ends to look for; a port of 0 is any.
struct TracedFlow {
  FlowKey key;
  bool concerns(const Headers& headers) const noexcept;
};

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
    DeviceSlot device = kNoDevice;
    Headers came;  // if it was parsed when it was written down (a traced one always is)
    Headers went;  // as it left the stages that it has met
    std::uint16_t size = 0;
    std::array<std::uint8_t, kSnap> bytes;
  };

  explicit Capture(std::optional<TracedFlow> traced = std::nullopt)
      : records_(kSlots), traced_(traced) {}
  void arrived(Packet& packet, Instant now) noexcept override;
  std::uint64_t parsed(const ParsedPacket& packet, Instant now) noexcept override;
  void ended(const Packet& packet, Drop reason) noexcept override;
  void left(const Allowed& allowed) noexcept override;
  void waits(const Allowed& allowed) noexcept override;
  void handed_over(std::uint64_t number) noexcept override;

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
  bool concerns(const Headers& headers) const noexcept;
  void follow(const Headers& came, const Headers& went) noexcept;
  Record& open(const PacketMeta& meta, ConstBytes bytes) noexcept;
  static void note(Record& record, const PacketMeta& meta) noexcept;
  // The record of a packet, unless newer ones took its place.
  Record* of(const PacketMeta& meta) noexcept;
  static constexpr std::size_t kMaxFollowed = 8;

  std::vector<Record> records_;
  std::optional<TracedFlow> traced_;  // nothing: every packet
  // Ends under which traced packets left, so that answers to them are traced, too.
  std::array<TracedFlow, kMaxFollowed> followed_;
  std::size_t followed_count_ = 0;
  std::uint64_t first_ = 0;  // written before this buffer's turn
  std::uint64_t written_ = 0;
  Instant now_;
};

}  // namespace sallyport::dataplane
