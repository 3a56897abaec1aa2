// What a storm is made of: how many clients, how their stacks and applications behave, what stands
// between them and the server, and what happens to either on the way.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/perf/storm/event_wheel.h"

namespace sallyport::storm {

// When a client's stack sends its first packet again, and when it gives up by itself.
//   Linux before 6.5     exponential from 1 s, 6 retries, 127 s (ip-sysctl: tcp_syn_retries)
//   Linux since 6.5      four linear seconds first (tcp_syn_linear_timeouts), 131 s
//   lwIP                 every 3 s, 6 retries, no back-off in SYN_SENT (src/core/tcp.c,
//   tcp_slowtmr), 18.5 s DTLS                 1 s doubling to 60 s (RFC 6347 4.2.4.1)
enum class Stack : std::uint8_t { kLinuxOld, kLinuxNew, kLwip, kDtls };
const std::vector<Slot>& schedule(Stack stack);  // offsets of packets
Slot stack_gives_up(Stack stack);
const char* name(Stack stack);

enum class Policy : std::uint8_t {
  kNone,         // every SYN passes
  kTokenBucket,  // SYNs above C are dropped, bucket of 0.1 s
  kNftLimit,     // nft limit rate C/second burst 5 packets, drop
  kReset,        // SYNs above C are answered with RST
  kSynCookies,   // every client that answers is let in: proves addresses, paces nothing
  kHaproxy,      // accepts everyone, FIFO queue in front of `maxconn` handshakes
  kOurs,
};
const char* name(Policy policy);

// An application's pause between giving up (or being refused) and trying again.
struct Pause {
  double s = 5;
  bool jittered = false;  // uniform in 0.5 to 1.5 of it
};

enum class Mishap : std::uint8_t {
  kNothing,
  kSlowdown,       // the server falls to a quarter and stays there; each handshake takes as long as
                   // before
  kSlowMachine,    // the same, and each handshake takes four times as long even alone
  kServerSilent,   // the server is gone without a word for 15 s
  kServerRefuses,  // the server's port answers with RST for 15 s
  kServerHangs,    // its port accepts for 15 s, and nothing answers a ClientHello
  kGatewayReboot,  // the gateway is gone for 5 s and all connections with it
};
const char* name(Mishap mishap);

struct Scenario {
  std::string name;
  std::uint32_t clients = 10'000;
  double capacity = 500;  // full handshakes per second
  double spread_s = 2;    // boots are uniform over it
  Stack stack = Stack::kLinuxOld;
  double app_timeout_s = 0;  // of connect and handshake together; 0: none
  Pause pause;
  Policy policy = Policy::kOurs;
  std::uint64_t seed = 1;

  std::uint32_t segments = 8;
  std::vector<std::uint16_t> weights;  // of segments; empty: equal
  bool aggressive = false;             // segment 0 sends a SYN every 100 ms
  bool high_class = false;  // segment 0 is a tenth of the clients and of highest priority
  double resumed = 0;       // share of clients whose handshake costs a quarter
  double ceiling = 1;       // configured rate over true capacity; 0: none configured
  unsigned workers = 1;
  Mishap mishap = Mishap::kNothing;
  double mishap_at = 0.4;  // of the optimum
  bool known = false;      // the gateway has seen an ordinary day of these clients before
  double stall_share = 0;  // clients that never send their ClientHello
  double horizon = 15;     // of the optimum
};

struct Result {
  double optimum_s = 0;  // T* of standards.md B.2
  double bound_s = 0;    // no gateway that only defers can be earlier, given when clients wait
  double bound99_s = 0;  // the same for 99 clients in 100
  double t50_s = 0, t99_s = 0, all_s = 0;  // negative: not within the horizon
  double peak_100ms = 0, peak_1s = 0;      // handshake starts over capacity
  double jain_min = 1, jain_mean = 1;
  double gain = 0;           // of the aggressive segment over its share
  double waste = 0;          // handshakes started beyond one per client, over clients
  double syns = 0;           // per client, at the gateway
  double server_syns = 0;    // per client, at the server
  double stragglers = 0;     // share not connected at twice the optimum
  double found_s = 0;        // until the first handshake started
  std::uint64_t probes = 0;  // SYNs that reached a dead server
  double follow_s = 0;       // mishap: until starts fit the new capacity for good
  double later_peak = 0;     // after that, over the new capacity
  std::uint64_t lost = 0;    // handshakes that failed, since the mishap if there was one
  double high_stretch = 0;   // highest class: its 99 % over its own optimum
  std::uint64_t events = 0;
  std::uint64_t allocations = 0;  // inside the engine, after its construction
  double wall_s = 0;
  std::vector<float> series;  // connected share every 200 ms

  double stretch() const { return all_s < 0 ? -1 : all_s / optimum_s; }
  double stretch99() const { return t99_s < 0 ? -1 : t99_s / optimum_s; }
  double stretch50() const { return t50_s < 0 ? -1 : t50_s / optimum_s; }
  double floor() const { return bound_s / optimum_s; }
  double floor99() const { return bound99_s / optimum_s; }
};

Result run(const Scenario& scenario);

}  // namespace sallyport::storm
