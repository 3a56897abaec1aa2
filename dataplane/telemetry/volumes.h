// How much went where: by segment and by rule, since the start. What `sallyctl top` makes rates of.
//
// One writer, the worker; read between its bursts. All memory is taken by the constructor: 20 bytes
// for each rule slot that a snapshot may have, 5 MiB.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

#include "dataplane/allowed.h"
#include "dataplane/cache_line.h"
#include "policy/wire/tables.h"

namespace sallyport::dataplane {

struct Volume {
  std::uint64_t packets = 0;
  std::uint64_t bytes = 0;  // frames without FCS
  void add(std::size_t size) noexcept {
    ++packets;
    bytes += size;
  }
  Volume& operator+=(const Volume& other) noexcept {
    packets += other.packets;
    bytes += other.bytes;
    return *this;
  }
};

struct SegmentVolume {
  Volume in;                  // from its wires, also what was then dropped
  Volume out;                 // given to its wires' drivers
  std::uint64_t dropped = 0;  // of what came from its wires or its host stack
};

class Volumes {
 public:
  Volumes() : recent_(wire::kMaxRules), rules_(wire::kMaxRules) {}

  void came(SegmentSlot segment, std::size_t size) noexcept {
    if (segment < segments_.size()) segments_[segment].in.add(size);
  }
  void dropped(SegmentSlot segment) noexcept {
    if (segment < segments_.size()) ++segments_[segment].dropped;
  }
  // A packet under this rule leaves soon.
  void ask_for(RuleSlot slot) const noexcept {
    if (slot < wire::kMaxRules) __builtin_prefetch(recent_.data() + slot, 1);
  }
  // To a wire or a host stack, under a rule of the policy or a built-in one, which is not counted
  // here (Counters::builtin).
  void left(const Allowed& allowed) noexcept {
    const std::size_t size = allowed.bytes().size();
    const Exit& exit = allowed.exit();
    if (exit.kind == Exit::Kind::kPort && exit.segment < segments_.size())
      segments_[exit.segment].out.add(size);
    if (allowed.rule() < wire::kMaxRules) count(allowed.rule(), static_cast<std::uint16_t>(size));
  }

  // Adds to sums over several workers, by slot; a slot that is not in them is left out.
  void add_to(std::span<SegmentVolume> segments, std::span<Volume> rules) const noexcept {
    for (std::size_t i = 0; i < std::min(segments.size(), segments_.size()); ++i) {
      segments[i].in += segments_[i].in;
      segments[i].out += segments_[i].out;
      segments[i].dropped += segments_[i].dropped;
    }
    for (std::size_t i = 0; i < std::min(rules.size(), rules_.size()); ++i)
      rules[i] += rule(static_cast<RuleSlot>(i));
  }
  std::span<const SegmentVolume> segments() const noexcept { return segments_; }
  // Of a slot below wire::kMaxRules.
  Volume rule(RuleSlot slot) const noexcept {
    Volume out = rules_[slot];
    out += {recent_[slot] / kOnePacket, recent_[slot] % kOnePacket};
    return out;
  }

 private:
  // The last few packets of a rule and their bytes are in one word, for the sake of the cache: an
  // open flow's packet needs no more of its rule than this. What they add up to before there are
  // 256 of them fits, as long as they may be.
  static constexpr std::uint32_t kOnePacket = 1U << 24;
  static constexpr std::uint64_t kMostPackets = (std::uint64_t{1} << 32) / kOnePacket;
  static_assert(kMostPackets * UINT16_MAX < kOnePacket);
  void count(RuleSlot slot, std::uint16_t size) noexcept {
    std::uint32_t& recent = recent_.data()[slot];
    if (__builtin_add_overflow(recent, kOnePacket | size, &recent)) [[unlikely]] {
      rules_[slot] += {kMostPackets, recent};
      recent = 0;
    }
  }

  std::array<SegmentVolume, wire::kMaxSegments> segments_{};
  LineVector<std::uint32_t> recent_;
  LineVector<Volume> rules_;
};

}  // namespace sallyport::dataplane
