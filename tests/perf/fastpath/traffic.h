// What comes down the wire in a case: the handshakes that open its flows, and the capture that is
// played again and again.
//
// Pure but for write_capture(). Seeded: the same case gives the same bytes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/perf/fastpath/plant.h"

namespace sallyport::bench {

using FrameBytes = std::vector<std::uint8_t>;

enum class Load : std::uint8_t {
  kEstablished,     // packets of open flows, in random order
  kUnknownMac,      // senders whom nobody enrolled
  kSpoofedAddress,  // enrolled senders under another's address
  kRandomTuples,    // enrolled senders that dial what no conduit permits
  kNewFlows,        // every packet opens an allowed flow of its own
  kMapped,          // of open flows behind NAPT44 (Plant::mapped), one each way, in random order
  kMixed,           // packets of kActiveFlows open flows, and every kNewShare-th opens a new one
};
inline constexpr std::size_t kMillion = std::size_t{1} << 20;
inline constexpr std::size_t kFewFlows = 65'536;
inline constexpr std::size_t kActiveFlows = 4096;
inline constexpr std::size_t kNewShare = 16;

struct TrafficCase {
  Plant plant;
  Load load = Load::kEstablished;
  IpVersion version = IpVersion::k4;
  std::size_t packets = 4096;    // in the capture; of kEstablished one per flow, of kMapped two
  std::size_t table = kMillion;  // of kMixed: the flows that make the table full
};

// What every subject shares: a secret that does not change from run to run.
inline constexpr std::array<std::uint64_t, 2> kBenchSecret = {0x0123456789abcdef,
                                                              0xfedcba9876543210};

struct Opening {
  FrameBytes syn;          // arrives on `in`
  FrameBytes answer;       // on `out`; of kMapped on `in`
  FrameBytes established;  // on `in`
};

// The packets that open flow `index`: of kEstablished that of packet `index`; of kMixed one of
// kActiveFlows, or below `table` one that the capture does not use.
Opening opening_of(const TrafficCase& c, const BuiltPlant& plant, std::size_t index);
// kMapped: by which port each flow leaves, if they are opened in order under kBenchSecret.
std::vector<std::uint16_t> mapped_ports(const TrafficCase& c);
// And its opening, whose answer the flow's port must be known for.
Opening mapped_opening(const TrafficCase& c, const BuiltPlant& plant, std::size_t flow,
                       std::uint16_t mapped_port);
// The router says where it is.
FrameBytes router_answer(const BuiltPlant& plant);
// The capture's packets; frames of 64 bytes without FCS (IPv6 TCP: 74).
std::vector<FrameBytes> frames_of(const TrafficCase& c, const BuiltPlant& plant);
// Classic pcap, link type Ethernet. False if the file cannot be written.
bool write_capture(const std::string& path, const std::vector<FrameBytes>& frames);

}  // namespace sallyport::bench
