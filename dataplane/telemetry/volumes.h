// How much went where: by segment and by rule, since the start. What `sallyctl top` makes rates of.
//
// One writer, the worker; read between its bursts. All memory is taken by the constructor: 16 bytes
// for each rule slot that a snapshot may have, 4 MiB.
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
  Volumes() : rules_(wire::kMaxRules) {}

  void came(SegmentSlot segment, std::size_t size) noexcept {
    if (segment < segments_.size()) segments_[segment].in.add(size);
  }
  void dropped(SegmentSlot segment) noexcept {
    if (segment < segments_.size()) ++segments_[segment].dropped;
  }
  // To a wire or a host stack, under a rule of the policy or a built-in one, which is not counted
  // here (Counters::builtin).
  void left(const Allowed& allowed) noexcept {
    const std::size_t size = allowed.bytes().size();
    const Exit& exit = allowed.exit();
    if (exit.kind == Exit::Kind::kPort && exit.segment < segments_.size())
      segments_[exit.segment].out.add(size);
    if (allowed.rule() < wire::kMaxRules) rules_.data()[allowed.rule()].add(size);
  }

  // Adds to sums over several workers, by slot; a slot that is not in them is left out.
  void add_to(std::span<SegmentVolume> segments, std::span<Volume> rules) const noexcept {
    for (std::size_t i = 0; i < std::min(segments.size(), segments_.size()); ++i) {
      segments[i].in += segments_[i].in;
      segments[i].out += segments_[i].out;
      segments[i].dropped += segments_[i].dropped;
    }
    for (std::size_t i = 0; i < std::min(rules.size(), rules_.size()); ++i) rules[i] += rules_[i];
  }
  std::span<const SegmentVolume> segments() const noexcept { return segments_; }
  // By slot.
  std::span<const Volume> rules() const noexcept { return rules_; }

 private:
  std::array<SegmentVolume, wire::kMaxSegments> segments_{};
  LineVector<Volume> rules_;
};

}  // namespace sallyport::dataplane
