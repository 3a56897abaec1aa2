// Next hops and uplink hosts: whom we asked for, what they answered. Bounded; only answers to our
// own questions are ever written. A question may hold one packet back until it is answered.
//
// Devices are not in here: their MACs come from the configuration. Thread: the worker.
// Sources: RFC 826, RFC 4861 §7.2, RFC 5227; 2.4.7.4.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "dataplane/allowed.h"
#include "dataplane/cache_line.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

struct Neighbour {
  enum class State : std::uint8_t { kFree, kAsking, kKnown } state = State::kFree;
  std::uint8_t questions = 0;  // asked since the last answer
  std::uint8_t askers = 0;     // other workers that wait for the answer, a bit each
  SegmentSlot segment = kNoSegment;
  PortSlot port = kNoPort;
  MacAddress mac;
  std::uint16_t vlan = 0;
  IpAddress address;
  Instant due;      // kAsking: next question. kKnown: to be asked again before it is used
  Instant expires;  // kKnown: not used any more
  std::optional<Allowed> held;
};

class NeighbourTable {
 public:
  static constexpr std::size_t kBuckets = 256;
  static constexpr std::size_t kWays = 8;
  static constexpr std::uint8_t kMaxQuestions = 3;
  static constexpr Duration kRetry = std::chrono::seconds(1);
  static constexpr Duration kFresh = std::chrono::seconds(45);
  static constexpr Duration kLife = std::chrono::seconds(75);

  static constexpr std::size_t kMostAskers = 8;

  NeighbourTable() : entries_(kBuckets * kWays) {}

  Neighbour* find(SegmentSlot segment, const IpAddress& address) noexcept;
  // A new entry in state kAsking; nullptr when its bucket holds nothing that may go.
  Neighbour* add(SegmentSlot segment, const IpAddress& address, Instant now) noexcept;
  std::span<Neighbour> entries() noexcept { return entries_; }

 private:
  std::span<Neighbour> bucket(SegmentSlot segment, const IpAddress& address) noexcept;
  LineVector<Neighbour> entries_;
};

}  // namespace sallyport::dataplane
