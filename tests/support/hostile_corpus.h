// Frames that no well-meaning host sends, in every class that has ever slipped through a packet
// filter: odd EtherTypes, runts, giants, VLAN and QinQ games, IPv4 options and header lengths, IPv6
// extension chains, tiny and overlapping fragments, bad sums, land and spoofed sources, every TCP
// flag set, forged ARP and neighbour discovery, routing and error messages.
//
// Deterministic: the same seed and world give the same frames on every machine. Each class is a
// well-formed frame with one thing made wrong, so that a frame is dropped for what its class says
// and not for an accident. Not thread-safe.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "policy/base/bytes.h"
#include "policy/base/net.h"

namespace sallyport::testing {

struct HostileHost {
  MacAddress mac;
  IpAddress v4;
  IpAddress v6;
};

// What the attacker knows. `self` is the host whose wire the frames are put on.
struct HostileWorld {
  HostileHost self;
  HostileHost gateway;  // the gateway's MAC and addresses on that wire
  std::vector<HostileHost>
      others;  // enrolled devices elsewhere and hosts beyond the uplink; at least one
};

struct HostileFrame {
  std::string_view kind;  // one of HostileCorpus::kinds()
  std::vector<std::uint8_t> bytes;
};

class HostileCorpus {
 public:
  HostileCorpus(std::uint64_t seed, HostileWorld world);

  // The next frame; kinds come in turn, so N frames hold each kind at least N / kinds().size()
  // times.
  const HostileFrame& next();

  static std::span<const std::string_view> kinds();

 private:
  friend struct HostileKinds;
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
  std::uint8_t byte() { return static_cast<std::uint8_t>(random_()); }
  const HostileHost& other() {
    return world_.others[below(static_cast<std::uint32_t>(world_.others.size()))];
  }

  std::mt19937_64 random_;
  HostileWorld world_;
  HostileFrame frame_;
  std::size_t turn_ = 0;
};

}  // namespace sallyport::testing
