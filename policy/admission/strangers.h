// Sources that nobody enrolled, on a conduit that lets them in. Their addresses may be forged, so
// nothing is kept of them before they have proved theirs:
//   first()     a SYN or ClientHello without a valid cookie: answer it statelessly (SYN cookie,
//               HelloVerifyRequest; the caller's) or not at all. While more arrive than may be
//               answered, those prefixes (/24, /64) that send most are silenced, by a sketch.
//   verified()  a packet that carries a valid cookie: the pair that stands for this source from now
//               on, for Engine::arrive().
// The pairs are a table of sets; a prefix can reach one set, chosen by a keyed hash, so it never
// holds more than kWays places, however many addresses it has. Whoever comes to a full set takes
// the place of the one that was silent the longest, if it was silent for kKept and has nothing in
// flight, or else gets none.
//
// Rationale: an attacker with many true prefixes gets a share of the lane's turns like any set of
// devices, and the lane's weight bounds that; an attacker without true addresses gets a cookie.
//
// Thread: the worker's. Everything is allocated in the constructor.
#pragma once

#include <cstdint>
#include <vector>

#include "policy/admission/engine.h"
#include "policy/admission/keyed_hash.h"
#include "policy/admission/sketch.h"
#include "policy/base/net.h"

namespace sallyport::admission {

class Strangers {
 public:
  static constexpr std::size_t kWays = 8;
  // A pair that was silent for less is its source's.
  static constexpr Duration kKept = std::chrono::seconds(30);
  // Under pressure a prefix is silenced when it sends more than this fraction of all.
  static constexpr std::uint32_t kHeavy = 64;

  struct Limits {
    PairId first = 0;                    // the pairs are [first, first + (kWays << set_bits))
    unsigned set_bits = 8;               // at most 16
    LaneId lane = 0;                     // of the conduit that lets strangers in; its lane is used
    std::uint32_t answers_per_s = 1000;  // stateless answers before anybody is silenced
    HashKey key{};                       // secret
  };

  // Binds its pairs to the lane. `engine` outlives this.
  Strangers(Engine& engine, const Limits& limits);

  enum class First : std::uint8_t { kAnswer, kSilent };
  First first(const IpAddress& source, Instant now);

  // kNone: the source's set is full.
  PairId verified(const IpAddress& source, Instant now);

  struct Stats {
    std::uint64_t answered = 0, silenced = 0, verified = 0, refused = 0, replaced = 0;
  };
  const Stats& stats() const { return stats_; }

 private:
  struct Entry {
    std::uint64_t tag = 0;  // hash of the whole address; 0: free
    Tick seen = 0;
  };
  struct Source {
    std::uint64_t prefix, host;
  };
  static Source split(const IpAddress& address);
  PairId pair_of(std::size_t entry) const { return limits_.first + static_cast<PairId>(entry); }
  bool replaceable(std::size_t entry, Tick now) const;

  Engine& engine_;
  Limits limits_;
  Sketch sketch_;
  std::vector<Entry> entries_;
  Stats stats_;
};

}  // namespace sallyport::admission
