#include "policy/admission/strangers.h"

#include <algorithm>

namespace sallyport::admission {

namespace {
constexpr unsigned kSketchBits = 12;
constexpr std::uint64_t kV4 = std::uint64_t{1} << 63;  // never a /64 that is routed (RFC 4291 §2.4)

// Tags the whole address apart from its prefix.
HashKey other(const HashKey& key) { return {~key[0], key[1]}; }
}  // namespace

Strangers::Strangers(Engine& engine, const Limits& limits)
    : engine_(engine), limits_(limits), sketch_(kSketchBits), entries_(kWays << limits.set_bits) {
  SALLYPORT_CHECK(limits.set_bits <= 16);
  for (std::size_t i = 0; i < entries_.size(); ++i) engine_.bind(pair_of(i), limits_.lane, 1);
}

// IPv4: /24 and the rest; IPv6: /64 and the rest. IPv4-mapped addresses share the form of the
// others, whose first 64 bits are zero, so they are told apart by a mark.
Strangers::Source Strangers::split(const IpAddress& address) {
  if (address.is_v4()) return {kV4 | address.v4_value() >> 8, address.v4_value() & 0xff};
  Source out{0, 0};
  for (std::size_t i = 0; i < 8; ++i) {
    out.prefix = out.prefix << 8 | address.bytes()[i];
    out.host = out.host << 8 | address.bytes()[i + 8];
  }
  return out;
}

Strangers::First Strangers::first(const IpAddress& source, Instant now) {
  const Source who = split(source);
  const std::uint32_t mine = sketch_.add(keyed_hash(limits_.key, who.prefix, 0), to_tick(now));
  const std::uint32_t all = sketch_.total();
  if (all > limits_.answers_per_s && mine > std::max(1U, all / kHeavy)) {
    ++stats_.silenced;
    return First::kSilent;
  }
  ++stats_.answered;
  return First::kAnswer;
}

bool Strangers::replaceable(std::size_t entry, Tick now) const {
  return tick_diff(now, entries_[entry].seen) >= static_cast<std::int32_t>(ticks(kKept)) &&
         !in_flight(engine_.shard().place(pair_of(entry)).state);
}

PairId Strangers::verified(const IpAddress& source, Instant now) {
  const Source who = split(source);
  const Tick at = to_tick(now);
  const std::uint64_t tag =
      keyed_hash(other(limits_.key), who.prefix, who.host) | 1;  // never the mark of a free entry
  const std::size_t set =
      (keyed_hash(limits_.key, who.prefix, 0) >> 48) & ((std::size_t{1} << limits_.set_bits) - 1);
  std::size_t chosen = entries_.size();
  std::int32_t longest = -1;
  for (std::size_t entry = set * kWays; entry < (set + 1) * kWays; ++entry) {
    if (entries_[entry].tag == tag) {
      entries_[entry].seen = at;
      ++stats_.verified;
      return pair_of(entry);
    }
    const bool free = entries_[entry].tag == 0;
    if (!free && !replaceable(entry, at)) continue;
    const std::int32_t silent = free ? INT32_MAX : tick_diff(at, entries_[entry].seen);
    if (silent <= longest) continue;
    longest = silent;
    chosen = entry;
  }
  if (chosen == entries_.size()) {
    ++stats_.refused;
    return kNone;
  }
  if (entries_[chosen].tag != 0) {
    // Nothing that was learned of its predecessor is true of this one.
    engine_.unbind(pair_of(chosen));
    engine_.bind(pair_of(chosen), limits_.lane, 1);
    ++stats_.replaced;
  }
  entries_[chosen] = {.tag = tag, .seen = at};
  ++stats_.verified;
  return pair_of(chosen);
}

}  // namespace sallyport::admission
