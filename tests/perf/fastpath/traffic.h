// What comes down the wire in a case: the handshakes that open its flows, and the capture that is
// played again and again.
//
// Pure but for write_capture(). Seeded: the same case gives the same bytes.
#pragma once

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
};

struct TrafficCase {
  Plant plant;
  Load load = Load::kEstablished;
  IpVersion version = IpVersion::k4;
  std::size_t packets = 4096;  // in the capture; of kEstablished one per flow
};

struct Opening {
  FrameBytes syn;          // arrives on `in`
  FrameBytes answer;       // on `out`; empty for UDP
  FrameBytes established;  // on `in`
};

// The packets that open the flow of packet `index` of kEstablished.
Opening opening_of(const TrafficCase& c, const BuiltPlant& plant, std::size_t index);
// The capture's packets; frames of 64 bytes without FCS (IPv6 TCP: 74).
std::vector<FrameBytes> frames_of(const TrafficCase& c, const BuiltPlant& plant);
// Classic pcap, link type Ethernet. False if the file cannot be written.
bool write_capture(const std::string& path, const std::vector<FrameBytes>& frames);

}  // namespace sallyport::bench
