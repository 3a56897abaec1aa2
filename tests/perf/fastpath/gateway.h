// Packet paths that the bench's own thread polls, each from a `net_pcap` that plays a capture again
// and again into a `net_null`. In a process of its own, because DPDK starts once per process.
//
// Thread: one. Failures: DPDK's.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/dpdk/port.h"
#include "dataplane/pipeline.h"
#include "dataplane/poller.h"
#include "tests/perf/fastpath/plant.h"

namespace sallyport::bench {

// What was counted while packets were played.
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
  std::vector<double> pairs;  // by that, turn by turn (timing/pairs.h)
  double packets_per_second() const { return cycles == 0 ? 0 : packets / cycles * hertz; }
  double flows_per_second() const { return cycles == 0 ? 0 : made / cycles * hertz; }
  // Plays it on: counts add up.
  Round& operator+=(const Round& next);
};

// Small buffers, so that a million of them fit.
inline constexpr std::uint16_t kSmallRoom = 256;

struct PortPair {
  std::unique_ptr<dataplane::EthPort> in, out;
};
struct Rig {
  dataplane::PacketPool pool, datagrams;
  std::vector<PortPair> ports;  // for each capture
};
// Captures are files, with so many packets in all.
Result<Rig> make_rig(std::span<const std::string> captures, std::size_t packets,
                     std::uint32_t memory_mb);

// Its clock stands still between its turns, so that of two that take turns (timing/pairs.h) each
// lives as if it were alone.
class Gateway {
 public:
  // How long ago its table was made: so long may flows have been silent.
  static constexpr Duration kAge = std::chrono::seconds(200);

  // All outlive it. Gateways may share ports: each plays on where the last one stopped.
  Gateway(Rig& rig, PortPair& ports, const BuiltPlant& plant, std::size_t flows);
  dataplane::Pipeline& pipeline() { return pipeline_; }

  // Housekeeping has seen every flow: that all were opened at once is not what is measured.
  void settle();
  Round play(double seconds);
  // A multiple of a burst.
  Round play_packets(std::size_t count);

 private:
  template <class While>
  Round poll(const While& on);

  dataplane::Events events_;
  dataplane::Pipeline pipeline_;
  dataplane::Poller poller_;
  std::optional<Instant> stopped_;
  Duration stood_still_{0};
};

}  // namespace sallyport::bench
