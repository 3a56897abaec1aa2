// One round of one case through Sallyport's own packet path (gateway.h), in a process of its own:
// opens the flows, plays the capture, says what it measured. And one of two cases that are set
// against each other: both in one process, in short turns.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "tests/perf/fastpath/gateway.h"
#include "tests/perf/fastpath/traffic.h"

namespace sallyport::bench {

// How a capture is played.
enum class Trial : std::uint8_t {
  kSteady,  // again and again, for a while
  kOnce,    // once through: a packet that opens a flow does so once
  kFull,    // once through with room for new flows and once with a table that has none, in turns
  kSwaps,   // while tables are swapped kSwapsPerSecond times a second and while they are not, in
            // turns
};
inline constexpr double kSwapsPerSecond = 10;
// From one swap to the next. Odd, so that each of them comes first as often as second.
inline constexpr std::size_t kTurnsOfSwap = 9;

struct Subject {
  TrafficCase traffic;
  Trial trial = Trial::kSteady;
  std::string capture;  // a file
  double seconds = 1;
  std::uint32_t memory_mb = 512;
};

// Opens the flows of a capture of kEstablished or kMapped, through the packet path.
void open_flows(const TrafficCase& c, const BuiltPlant& plant, dataplane::PacketPool& pool,
                dataplane::Pipeline& pipeline, Instant now);
// Fills a table with `flows` of kMixed: the active ones, others that were long silent, and
// half-open ones, which are the last.
void fill_table(const TrafficCase& c, const BuiltPlant& plant, dataplane::PacketPool& pool,
                dataplane::Pipeline& pipeline, std::size_t flows, Instant now);

// In this process. Prints lines that read_round() reads; what main() returns.
int run_subject(const Subject& subject);
// Of two that are played alike, kSteady or kOnce. Prints a line that pairs_in() reads: the one's
// rate by the other's.
int run_pair(const Subject& one, const Subject& other);
// What a child printed; false if there is nothing.
bool read_round(const std::string& output, Round& out);

}  // namespace sallyport::bench
