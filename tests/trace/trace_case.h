// A packet-trace case as text: packets in, packets out, verdict. One file holds several; each runs
// in both IP versions.
//
//   name    SENTENCE                       begins a case
//   only    v4 | v6                        where a case makes sense in one version only
//   policy  plant | none                   the plant of tests/support/pipeline_world.h (default),
//                                          or no snapshot at all
//   apply   plant | without CONDUIT ... | mtu SEGMENT=BYTES ... | timeouts CONDUIT.CLASS=SECONDS
//   ...
//                                          another revision comes into force here
//   given   A:PORT > B:PORT tcp            a handshake that must pass: an established flow
//   in      A:PORT > B:PORT WHAT [OPTION]  A's frame on A's own wire
//   flood   COUNT A:PORT > B:PORT WHAT size=N
//                                          the first halves of so many datagrams, nothing else of
//                                          them
//   out     WHERE A:PORT > B:PORT WHAT [OPTION]
//                                          it, and every other line `out`, is exactly what leaves
//                                          for this `in`
//   expect  drop REASON | no drop          what became of the last `in`
//   wait    SECONDSs
//
// A, B: a host of the plant; gw.SEGMENT is the gateway's address there. PORT may be @CONDUIT: that
// conduit's listener. WHERE: a port, or host:SEGMENT. WHAT: tcp FLAGS (of SAFRPU), udp,
// echo-request, echo-reply, who-has, is-at; in `out` also time-exceeded and too-big (mtu=N), which
// quote the last `in`, and `anything`: some frame, whatever it holds. OPTION: seq=N, ack=N, mss=N
// (TCP), size=N (payload), cut=ID (IPv4 that may be cut), half=1/ID, half=2/ID (of the datagram, as
// a fragment), ttl=N, vlan=N, on=PORT, mac=HOST, address=HOST (source address of another), to=HOST
// (destination MAC of another), from-stack.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/base/result.h"

namespace sallyport::testing {

struct TraceLine {
  unsigned number = 0;
  std::vector<std::string> words;
};
struct TraceCase {
  std::string name;
  unsigned line = 0;
  bool v4 = true;
  bool v6 = true;
  std::vector<TraceLine> lines;
};

// kInvalid names file and line.
Result<std::vector<TraceCase>> load_trace(const std::string& path);

}  // namespace sallyport::testing
