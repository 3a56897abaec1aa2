// One round of one case through Sallyport's own packet path, in a process of its own (DPDK starts
// once per process): opens the flows, plays the capture, says what it measured.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "dataplane/pipeline.h"
#include "tests/perf/fastpath/traffic.h"

namespace sallyport::bench {

// How a capture is played.
enum class Trial : std::uint8_t {
  kSteady,  // again and again, for a while
  kOnce,    // once through: a packet that opens a flow does so once
  kFull,    // once through, with room for new flows, and then with a table that has none
  kSwaps,   // for a while, and then while tables are swapped kSwapsPerSecond times a second
};
inline constexpr double kSwapsPerSecond = 10;

struct Subject {
  TrafficCase traffic;
  Trial trial = Trial::kSteady;
  std::string capture;  // a file
  double seconds = 1;
  std::uint32_t memory_mb = 512;
};

// Counts are of the time that was measured.
struct Round {
  double packets = 0;
  double cycles = 0;  // of the TSC
  double hertz = 0;   // of the TSC
  double forwarded = 0;
  double dropped = 0;
  double flows = 0;  // after it
  double made = 0;
  double displaced = 0;
  double unburdened = 0;  // packets/s of the same traffic without a full table, or without swaps
  double packets_per_second() const { return cycles == 0 ? 0 : packets / cycles * hertz; }
  double flows_per_second() const { return cycles == 0 ? 0 : made / cycles * hertz; }
};

// Small buffers, so that a million of them fit.
inline constexpr std::uint16_t kSmallRoom = 256;
// Opens the flows of a capture of kEstablished or kMapped, through the packet path.
void open_flows(const TrafficCase& c, const BuiltPlant& plant, dataplane::PacketPool& pool,
                dataplane::Pipeline& pipeline, Instant now);
// Fills a table with `flows` of kMixed: the active ones, others that were long silent, and
// half-open ones, which are the last.
void fill_table(const TrafficCase& c, const BuiltPlant& plant, dataplane::PacketPool& pool,
                dataplane::Pipeline& pipeline, std::size_t flows, Instant now);

// In this process. Prints a line that read_round() reads; what main() returns.
int run_subject(const Subject& subject);
// The line that a child printed; false if there is none.
bool read_round(const std::string& output, Round& out);

}  // namespace sallyport::bench
