// What a worker counts. One per worker, written by it alone, read between its bursts. Names come
// from the tables that define what is counted.
//
// Between two polls it adds up: received + originated = forwarded + to_host + consumed + held + the
// sum of drops. Every test that runs the pipeline holds it against every frame
// (tests/support/pipeline_world.h).
#pragma once

#include <array>
#include <cstdint>
#include <numeric>

#include "dataplane/allowed.h"
#include "policy/base/drop_reasons.h"

namespace sallyport::dataplane {

struct Counters {
  std::array<std::uint64_t, kDropCount> drops{};
  std::array<std::uint64_t, kBuiltinNames.size()> builtin{};
  std::uint64_t received = 0;    // frames, wires and host stacks
  std::uint64_t from_host = 0;   // of them, from host stacks
  std::uint64_t originated = 0;  // frames that the gateway made itself, under built-in rules
  std::uint64_t forwarded = 0;   // frames that a port's driver took
  std::uint64_t to_host = 0;     // frames handed to a host stack
  std::uint64_t consumed = 0;    // neighbour messages that the dataplane answered or learned
  std::uint64_t held = 0;        // just now: packets that wait for their next hop's MAC
  std::uint64_t flows_made = 0;
  std::uint64_t flows_ended = 0;      // by silence
  std::uint64_t flows_cut = 0;        // because their rule is gone or means something else
  std::uint64_t flows_displaced = 0;  // by newer ones, because the table was full
  std::uint64_t credits_granted = 0;
  std::uint64_t credits_returned = 0;
  std::uint64_t credits_reclaimed = 0;
  std::uint64_t credits_refused = 0;  // returns that matched no grant
  std::uint64_t names_learned = 0;

  std::uint64_t accounted_for() const {
    return std::accumulate(drops.begin(), drops.end(), forwarded + to_host + consumed + held);
  }
  std::uint64_t drop_count(Drop reason) const { return drops[static_cast<std::size_t>(reason)]; }
  std::uint64_t& drop(Drop reason) { return drops[static_cast<std::size_t>(reason)]; }
};

}  // namespace sallyport::dataplane
