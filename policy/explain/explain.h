// Why would this packet pass, or not? The decision told step by step, by the functions that enforce
// it (policy/decide) on the tables in force: nothing is judged here a second time, only told.
//
// Valid inputs: a verified snapshot and any question. Ownership: the answer is a value. Thread:
// none shared; walks all tables once (milliseconds), so it belongs beside a packet path, not on it.
// Failures: none; a question about what does not exist is answered with the denial it would meet.
//
// One structure, two renderings (render.cc). 2.4.7.2, 2.4.7.3.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "policy/base/tcp_flags.h"
#include "policy/decide/classifier.h"
#include "policy/wire/snapshot.h"

namespace sallyport::explain {

struct Question {
  // Where the packet comes in: a segment, and on its wires a port, VLAN and MAC. Without a MAC the
  // sender is taken to be the enrolled owner of the source address, on its own port.
  std::uint16_t segment = wire::kNowhere;
  decide::Origin origin = decide::Origin::kWire;
  std::optional<std::uint16_t> port;
  std::uint16_t vlan = 0;
  std::optional<MacAddress> mac;
  decide::Tuple tuple;
  std::uint8_t tcp_flags = kTcpSyn;  // TCP only
  // TCP only, of a segment of an open flow: which bytes it is about. What is not said is what would
  // come next.
  std::optional<std::uint32_t> sequence;
  std::optional<std::uint32_t> acknowledgement;
  std::uint16_t size = 0;  // of its data
  // Names under which the destination is known at the moment (the dataplane's table).
  std::vector<std::string> names;
};

// What a running dataplane knows beside its tables, when the question is asked of one.
struct OpenFlow {
  std::string state;  // "established"
  std::string next;   // TCP: "sequence 7 acknowledging 9 would be next", else empty
  bool from_client = true;
  std::uint32_t rule = wire::kNoRule;
  std::uint64_t revision = 0;   // under which it was looked at again
  std::optional<Drop> refused;  // what this packet of the flow meets
  bool reopens = false;         // it is over, and this packet opens another one
  std::string rewrite;          // "destination becomes 10.20.0.1:40000", or empty
  std::string egress;
};
struct Admission {
  std::uint32_t in_flight = 0;  // handshakes of the rule
  std::uint32_t bound = 0;
  bool admits = true;  // this packet's connection
};
struct Live {
  std::optional<OpenFlow> flow;
  // What a new flow of this device would meet in the flow table.
  std::function<std::optional<Drop>(std::uint32_t device)> place;
  // Of a rule that terminates, by its slot.
  std::function<Admission(std::uint32_t rule)> admission;
  // NAPT44: what a first packet of this device would meet on its way out through that uplink.
  std::function<std::optional<Drop>(std::uint16_t uplink, IpProtocol protocol,
                                    std::uint32_t device)>
      mapping;
};

struct Step {
  // "parse", "binding", "source", "destination", "name", "flow", "admission", "mapping",
  // "decision"
  std::string stage;
  std::string outcome;  // short: a device, a segment, a reason
  std::string detail;   // a sentence
};

enum class WhyNot : std::uint8_t {
  kMatched,      // it decides the packet
  kShadowed,     // permits it too; another conduit of the same meaning gives its name
  kPort,         // right ends and protocol, another port
  kProtocol,     // right ends, another protocol
  kEnds,         // each end alone is right, not together
  kDestination,  // right source, another destination
  kSource,       // right destination, another source
  kUnreviewed,   // permits nothing until it is reviewed
};
std::string_view to_string(WhyNot why) noexcept;

struct Candidate {
  std::string name;
  std::string summary;
  std::string kind;  // "direct", "leg-a", "leg-b", "host"; empty for an unreviewed conduit
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  WhyNot why = WhyNot::kMatched;
  std::string detail;  // "permits tcp 80-81"
};

struct Explanation {
  std::uint64_t revision = 0;
  std::string config_name;
  std::string packet;  // "tcp 10.30.0.5:40000 > 10.20.0.7:80"
  std::vector<Step> steps;
  std::vector<Candidate> candidates;   // nearest first, at most kMaxCandidates
  std::size_t candidates_omitted = 0;  // how many more were almost as far away

  bool allowed = false;
  std::string reason;  // drop reason's name if denied
  std::string help;    // and its meaning
  std::string rule;    // if allowed, below as well
  std::string kind;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::string summary;
  std::string leg;             // "leg A of a terminated conduit", ...
  std::string rewrite;         // "destination becomes 10.20.0.1:40000", or empty
  std::string egress_segment;  // where it goes next; "host stack of X" for leg A and services
};

inline constexpr std::size_t kMaxCandidates = 16;

// Without `live` the packet is judged as the first one of a gateway that has just started.
Explanation explain(const wire::SnapshotView& snapshot, const Question& question,
                    const Live* live = nullptr);

std::string to_json(const Explanation& explanation);
std::string to_text(const Explanation& explanation);

}  // namespace sallyport::explain
