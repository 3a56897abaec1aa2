// What a worker counts. One per worker, written by it alone, read between its bursts. Names come
// from the tables that define what is counted.
//
// Between two polls it adds up: received + originated + taken_over = forwarded + to_host + consumed
// + held + handed_over + the sum of drops. Every test that runs the pipeline holds it against every
// frame (tests/support/pipeline_world.h).
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
  std::uint64_t received = 0;     // frames, wires and host stacks
  std::uint64_t from_host = 0;    // of them, from host stacks
  std::uint64_t originated = 0;   // frames that the gateway made itself, under built-in rules
  std::uint64_t forwarded = 0;    // frames that a port's driver took
  std::uint64_t to_host = 0;      // frames handed to a host stack
  std::uint64_t taken_over = 0;   // frames that another worker had read, or judged
  std::uint64_t handed_over = 0;  // frames that went to another worker
  std::uint64_t consumed = 0;     // neighbour messages that the dataplane answered or learned
  std::uint64_t held = 0;         // just now: packets that wait for their next hop's MAC
  std::uint64_t flows_made = 0;
  std::uint64_t flows_ended = 0;      // by silence
  std::uint64_t flows_cut = 0;        // because their rule is gone or means something else
  std::uint64_t flows_displaced = 0;  // by newer ones, because the table was full
  std::uint64_t credits_granted = 0;
  std::uint64_t credits_returned = 0;
  std::uint64_t credits_reclaimed = 0;
  std::uint64_t credits_refused = 0;  // returns that matched no grant
  std::uint64_t names_learned = 0;
  std::uint64_t names_untold = 0;  // that another worker had no room to hear of

  // Of several workers.
  Counters& operator+=(const Counters& other) {
    for (std::size_t i = 0; i < drops.size(); ++i) drops[i] += other.drops[i];
    for (std::size_t i = 0; i < builtin.size(); ++i) builtin[i] += other.builtin[i];
    received += other.received;
    from_host += other.from_host;
    originated += other.originated;
    forwarded += other.forwarded;
    to_host += other.to_host;
    taken_over += other.taken_over;
    handed_over += other.handed_over;
    consumed += other.consumed;
    held += other.held;
    flows_made += other.flows_made;
    flows_ended += other.flows_ended;
    flows_cut += other.flows_cut;
    flows_displaced += other.flows_displaced;
    credits_granted += other.credits_granted;
    credits_returned += other.credits_returned;
    credits_reclaimed += other.credits_reclaimed;
    credits_refused += other.credits_refused;
    names_learned += other.names_learned;
    names_untold += other.names_untold;
    return *this;
  }
  std::uint64_t came() const { return received + originated + taken_over; }
  std::uint64_t accounted_for() const {
    return std::accumulate(drops.begin(), drops.end(),
                           forwarded + to_host + consumed + held + handed_over);
  }
  std::uint64_t drop_count(Drop reason) const { return drops[static_cast<std::size_t>(reason)]; }
  std::uint64_t& drop(Drop reason) { return drops[static_cast<std::size_t>(reason)]; }
};

}  // namespace sallyport::dataplane
