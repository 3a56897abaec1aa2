// The flows of one worker: bounded, preallocated, looked up by either direction's key.
//
// Index: buckets of one cache line, kWays (tag, reference) pairs each. A key and its reverse have
// one place in it: a flow stands there once, and only one that is rewritten has two keys to stand
// there for. A key stands in its first bucket or, where that was full, in its second, whose
// distance its tag says. A bucket counts those of its keys that stand elsewhere: while there is
// none, it alone says which keys there are. Where both are full, one key of them that can moves
// over to its other bucket; an insertion that finds nobody who can fails. At most four fifths of
// the ways are taken, if all flows are rewritten, and then that is one in 10^13 (design note 0011).
//
// Ageing: a wheel of kWheelTicks lists. A packet only moves a flow's deadline; when the flow's tick
// comes round the wheel looks whether the deadline really has passed, so a hot path never relinks
// (only a deadline that becomes earlier does). `now` is an argument.
//
// Who gives way when it is full: flow/eviction_order.h. Then no device with more than its share of
// the table (kShareOfDevice) displaces another's flow; who is not enrolled, and the gateway itself,
// are one device here, with a larger share.
//
// The hash is keyed with a secret of the process: which keys collide cannot be known outside.
// Thread: one. Failures: insert() returns nullptr and changes nothing when the table is full or
// when either key is taken. References stay valid until the flow is erased. Twin:
// tests/support/flow_table_twin.h.
#pragma once

#include <smmintrin.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "dataplane/cache_line.h"
#include "dataplane/flow/eviction_order.h"
#include "dataplane/flow/flow.h"
#include "dataplane/flow/port_mappings.h"
#include "dataplane/flow/stand_ins.h"
#include "dataplane/large_pages.h"
#include "policy/base/check.h"
#include "policy/base/drop_reasons.h"
#include "policy/base/hash.h"
#include "policy/wire/tables.h"

namespace sallyport::dataplane {

struct FlowMatch {
  Flow* flow = nullptr;
  Direction direction = Direction::kFromClient;
  explicit operator bool() const { return flow != nullptr; }
};

class FlowTable {
 public:
  static constexpr std::size_t kWheelTicks = 1024;
  static constexpr Duration kTick = FlowTime::kTick;
  // Of the capacity.
  static constexpr std::uint32_t kShareOfDevice = 8, kShareOfOthers = 2;
  static constexpr std::uint32_t kMostFlows = (1U << (Flow::kPlaceBits - 1)) - 1;

  // At most `capacity` flows, up to kMostFlows; all memory is taken here. A mapped flow's port is
  // given back to `mappings`, which outlives the table, when the flow ends.
  FlowTable(std::uint32_t capacity, std::array<std::uint64_t, 2> secret, Instant now,
            PortMappings* mappings = nullptr);

  FlowMatch find(const FlowKey& key) noexcept { return search(key, hash(key)); }
  // The same for a burst, so that memory is on its way before it is needed: approach() all
  // together, then find() each. Flows may come and go between the steps, fewer than 65,536 of them.
  struct Looking {
    std::uint64_t hash = 0;
    Flow* likely = nullptr;  // to look at first
    Direction direction = Direction::kFromClient;
    bool further = false;     // in approach(), without a likely one: there is its second bucket
    std::uint16_t as_of = 0;  // without a likely one: insertions when approach() looked
  };
  // A member of a burst, for who has no more to keep of one.
  struct Asked {
    FlowKey key;
    Looking looking;
  };
  // `key` and `looking` are what a member of the burst has of types FlowKey and Looking. True if
  // some of them have no likely flow.
  //
  // Memory is asked for in loops that do nothing else: a prefetch retires when its address is
  // translated, and only what stands close together in the program is translated at the same time.
  template <class Member, std::size_t kExtent, class Key = FlowKey Asked::*,
            class Of = Looking Asked::*>
  bool approach(std::span<Member, kExtent> burst, Key key = &Asked::key,
                Of looking = &Asked::looking) noexcept {
    const Secret secret = secret_;  // which nothing that is written here can be
    for (Member& each : burst) {
      const std::uint64_t h = hash(std::invoke(key, each), secret);
      std::invoke(looking, each).hash = h;
      __builtin_prefetch(&bucket(h));
    }
    bool unlikely = false, further = false;
    for (std::span<Member> rest = burst; !rest.empty();) {
      const std::span group = rest.first(std::min(rest.size(), kAskedTogether));
      rest = rest.subspan(group.size());
      for (Member& each : group) {
        Looking& at = std::invoke(looking, each);
        if (!expect_in(bucket(at.hash), std::invoke(key, each), at)) [[unlikely]] {
          unlikely = true;
          further |= goes_further(at);
        }
      }
      for (const Member& each : group) ask_for_likely(std::invoke(looking, each));
    }
    if (further) [[unlikely]]
      for (Member& each : burst) go_further(std::invoke(key, each), std::invoke(looking, each));
    return unlikely;
  }
  FlowMatch find(const FlowKey& key, const Looking& at) noexcept {
    if (at.likely != nullptr) [[likely]] {
      if (at.likely->live() && is(*at.likely, key, at.direction)) [[likely]]
        return {at.likely, at.direction};
    } else if (at.as_of == insertions_ || !tagged(at.hash)) {
      return {};  // no bucket of its had the tag, and nothing came since that has it
    }
    return search(key, at.hash);
  }
  // A flow of this key, which was approached, is likely to be inserted next.
  void expect(const FlowKey& key, const Looking& at) noexcept { expected_ = {key, at.hash}; }
  // Where the next flow may be written down before it is inserted.
  Opening& draft() noexcept { return draft_; }
  // Copies the flow in; its `deadline` is its first one. Its keys stay as they are until its end.
  Flow* insert(const Opening& opening) noexcept;
  void erase(Flow& flow) noexcept;
  // After each packet, when the flow's state is the new one already.
  void set_deadline(Flow& flow, Instant deadline) noexcept {
    set_deadline(flow, FlowTime::at(deadline));
  }
  void set_deadline(Flow& flow, FlowTime until) noexcept {
    set_deadline(flow, until, EvictionOrder::standing_of(flow));
  }
  // `standing` is that of its state.
  void set_deadline(Flow& flow, FlowTime until, FlowStanding standing) noexcept {
    if (flow.standing() != standing) [[unlikely]]
      file(flow);
    // A flow is never filed behind its deadline: one that only moves away leaves it where it is.
    const bool nearer = until < flow.deadline;
    flow.deadline = until;
    if (nearer) [[unlikely]]
      advance(flow);
  }
  // Erases flows whose deadline is at or before `now`, looking at `budget` flows at most per call;
  // what is left over is done by the next call.
  std::uint32_t expire(Instant now, std::uint32_t budget) noexcept;
  bool behind() const noexcept { return walking_; }  // something was left over

  bool full() const noexcept { return free_ == 0; }
  // Of a full table: the flow that gives way to a new one of `device`, still in the table.
  // kFlowTableFull: none may go. kFlowDeviceLimit: another's may, and this device has its share.
  // `silent_for(flow)` returns for how long no packet of it came.
  template <class SilentFor>
  std::expected<Flow*, Drop> gives_way(DeviceSlot device, const SilentFor& silent_for) noexcept {
    const std::uint32_t place = eviction_.choose(flows_, silent_for);
    if (const auto refused = refusal(device, place)) return std::unexpected(*refused);
    foresee(eviction_.after(place));
    return &flows_[place];
  }
  // What it would meet. Changes nothing.
  template <class SilentFor>
  std::optional<Drop> would_refuse(DeviceSlot device, const SilentFor& silent_for) const noexcept {
    if (!full()) return std::nullopt;
    return refusal(device, eviction_.peek(flows_, silent_for));
  }

  // The address that stands in for one of its ends; all zero if none does. Until its end.
  const IpAddress& stand_in(const Flow& flow) const noexcept { return stand_ins_.of(flow); }
  std::uint32_t size() const noexcept { return size_; }
  std::uint32_t capacity() const noexcept { return capacity_; }
  // What it took from the heap: flows, index, order of eviction, shares, stand-ins.
  std::size_t bytes() const noexcept {
    return flows_.capacity() * sizeof(Flow) + buckets_.capacity() * sizeof(Bucket) +
           eviction_.bytes() + held_.capacity() * sizeof(held_[0]) + stand_ins_.bytes();
  }
  // Keys that stand in their second bucket. Reads the whole index.
  std::size_t away() const noexcept;
  // All places, live or not, for sweeps and reads; index 0 is never live.
  std::span<Flow> places() noexcept { return flows_; }
  // One of them is read soon.
  void ask_for(std::uint32_t place) const noexcept { ask_for(flows_.data()[place]); }

 private:
  static constexpr std::size_t kWays = 10, kLeastBuckets = 16;
  struct alignas(64) Bucket {
    std::array<std::uint16_t, kWays> tags;        // 0 = free; those in use stand first
    std::array<std::uint32_t, kWays> references;  // place << kPlaceShift | kAway | kTurned
    std::uint32_t away;  // keys of which this is the first bucket and that stand in their second
  };
  // Of a reference: it stands in its key's second bucket; its key is the server's and not turned(),
  // or the client's and turned.
  static constexpr std::uint32_t kAway = 2, kTurned = 1;
  static constexpr int kPlaceShift = 2;
  static_assert(kMostFlows <= UINT32_MAX >> kPlaceShift);
  static_assert(sizeof(Bucket) == 64);
  // Ways of the bucket that hold this tag, a bit each; all are looked at together. Behind them
  // stand bits for ways that would be free.
  static unsigned ways(const Bucket& bucket, std::uint16_t tag) noexcept {
    const __m128i wanted = _mm_set1_epi16(static_cast<std::int16_t>(tag));
    const __m128i most = _mm_load_si128(reinterpret_cast<const __m128i*>(bucket.tags.data()));
    std::int32_t others;
    static_assert(kWays * sizeof(std::uint16_t) == sizeof most + sizeof others);
    std::memcpy(&others, reinterpret_cast<const char*>(&bucket) + sizeof most, sizeof others);
    const __m128i rest = _mm_cvtsi32_si128(others);
    return static_cast<unsigned>(_mm_movemask_epi8(
        _mm_packs_epi16(_mm_cmpeq_epi16(most, wanted), _mm_cmpeq_epi16(rest, wanted))));
  }
  static unsigned used(const Bucket& bucket) noexcept {
    return static_cast<unsigned>(std::countr_zero(ways(bucket, 0)));
  }
  static constexpr std::size_t kAskedTogether = 8;
  // The flow of the key's tag in this bucket, if there is one, is likely to be the key's.
  bool expect_in(const Bucket& candidates, const FlowKey& key, Looking& at) noexcept {
    const unsigned found = ways(candidates, tag_of(at.hash));
    if (found == 0) [[unlikely]] {
      at.likely = nullptr;
      at.as_of = insertions_;
      return false;
    }
    const std::uint32_t reference =
        candidates.references.data()[static_cast<unsigned>(std::countr_zero(found))];
    at.likely = flows_.data() + referred(reference);
    at.direction = direction_of(key, reference);
    return true;
  }
  // Not in its first bucket; may it be in its second?
  bool goes_further(Looking& at) const noexcept {
    at.further = bucket(at.hash).away != 0;
    if (at.further) __builtin_prefetch(&bucket(other(at.hash)));
    return at.further;
  }
  void go_further(const FlowKey& key, Looking& at) noexcept {
    if (at.likely != nullptr || !at.further) return;
    expect_in(bucket(other(at.hash)), key, at);
    ask_for_likely(at);
  }
  static void ask_for_likely(const Looking& at) noexcept {
    if (at.likely != nullptr) [[likely]]
      ask_for(*at.likely);
  }
  static void ask_for(const Flow& flow) noexcept {
    __builtin_prefetch(&flow, 1);
    __builtin_prefetch(reinterpret_cast<const char*>(&flow) + kCacheLine, 1);
  }
  // A bucket by its number, of which the mask takes the lower bits; so within bounds.
  const Bucket& bucket(std::uint64_t at) const noexcept { return buckets_.data()[at & mask_]; }
  Bucket& bucket(std::uint64_t at) noexcept { return buckets_.data()[at & mask_]; }
  // From either of a key's buckets to its other one; never the same.
  static std::uint64_t other(std::uint64_t at, std::uint16_t tag) noexcept {
    return at ^ (tag * 0x9e3779b1U | 1);
  }
  static std::uint64_t other(std::uint64_t hash) noexcept { return other(hash, tag_of(hash)); }
  // Never 0.
  static std::uint16_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint16_t>(hash >> 48);
  }
  // To a flow that has this key in that direction. Its lowest bit says the same of the key's
  // reverse in the other direction: which of the two is turned.
  static std::uint32_t reference_to(std::uint32_t place, const FlowKey& key,
                                    Direction direction) noexcept {
    return place << kPlaceShift | (static_cast<std::uint32_t>(direction) ^ turned(key));
  }
  static Direction direction_of(const FlowKey& key, std::uint32_t reference) noexcept {
    return static_cast<Direction>((turned(key) ^ reference) & kTurned);
  }
  std::size_t referred(std::uint32_t reference) const noexcept {
    SALLYPORT_CHECK(reference >> kPlaceShift <= capacity_);
    return reference >> kPlaceShift;
  }
  // Which way round it is: 1 for one of a key and its reverse, 0 for the other.
  static std::uint32_t turned(const FlowKey& key) noexcept {
    const std::uint64_t source = key.source.words()[1], destination = key.destination.words()[1];
    return source != destination ? source > destination : turned_by_rest(key);
  }
  [[gnu::cold, gnu::noinline]] static std::uint32_t turned_by_rest(const FlowKey& key) noexcept;
  // The low bits choose one bucket, the upper 16 are the tag, which says where the other one is. A
  // key's reverse has the same. So have up to three other pairs that somebody could choose: which
  // port is which end's is not in it, nor which halves of two IPv6 addresses belong together.
  using Secret = std::array<std::uint64_t, 2>;
  static std::uint64_t hash(const FlowKey& key, const Secret& secret) noexcept {
    const auto source = key.source.words(), destination = key.destination.words();
    const std::uint32_t ports = key.source_port | std::uint32_t{key.destination_port} << 16;
    const std::uint64_t rest = std::min(ports, std::rotl(ports, 16)) |
                               std::uint64_t{static_cast<std::uint8_t>(key.protocol)} << 32;
    std::uint64_t h = fold(source[0] ^ secret[0], destination[0] ^ secret[0]);
    h = fold(source[1] ^ h, destination[1] ^ h);
    return fold(h ^ rest, secret[1]) | std::uint64_t{1} << 48;
  }
  std::uint64_t hash(const FlowKey& key) const noexcept { return hash(key, secret_); }
  FlowKey server_key(const Flow& flow) const noexcept { return flow.server_key(stand_in(flow)); }
  bool is(const Flow& flow, const FlowKey& key, Direction direction) const noexcept {
    return flow.rewritten() ? flow.is(key, direction, stand_in(flow)) : flow.is(key, direction);
  }
  // Of a flow's two keys.
  struct Hashes {
    std::uint64_t client = 0, server = 0;
    bool one = false;  // one is the other's reverse: one place in the index serves both
  };
  Hashes hashes_of(const FlowKey& client, const FlowKey& server, std::uint64_t of_client) const {
    const bool one = server == client.reversed();
    return {of_client, one ? of_client : hash(server), one};
  }
  Hashes hashes_of(const Flow& flow) const {
    const FlowKey client = flow.client_key();
    return hashes_of(client, server_key(flow), hash(client));
  }
  // Does some flow have one of them?
  bool taken(const FlowKey& client, const FlowKey& server, const Hashes& keys) noexcept;
  static std::size_t row_of(DeviceSlot device) noexcept {
    return std::min<std::size_t>(device, wire::kMaxDevices);
  }
  // Why the flow at `place`, 0 if there is none, does not give way to one of `device`.
  std::optional<Drop> refusal(DeviceSlot device, std::uint32_t place) const noexcept;
  // To the list of its deadline, which became earlier.
  [[gnu::noinline]] void advance(Flow& flow) noexcept;
  [[gnu::noinline]] FlowMatch search(const FlowKey& key, std::uint64_t hash) noexcept;
  // May some flow have a key of this hash?
  bool tagged(std::uint64_t hash) const noexcept {
    const Bucket& first = bucket(hash);
    return ways(first, tag_of(hash)) != 0 ||
           (first.away != 0 && ways(bucket(other(hash)), tag_of(hash)) != 0);
  }
  bool index_insert(std::uint64_t hash, std::uint32_t reference) noexcept;
  // One key of the flow at this place.
  void index_erase(std::uint64_t hash, std::uint32_t place) noexcept;
  // One key of two full buckets moves over; in whose place, or nullptr if none can.
  [[gnu::noinline]] Bucket* make_way(std::uint64_t hash) noexcept;
  // Takes a key of this tag and flow out, if it is there. `stands`: 0 or kAway.
  static bool take_out(Bucket& bucket, std::uint16_t tag, std::uint32_t place,
                       std::uint32_t stands) noexcept;
  // Takes a way out; the last one in use takes its place.
  static void vacate(Bucket& bucket, std::size_t way) noexcept;
  // `place` will give way next, if nothing comes between: what erase() needs is asked for, and who
  // comes after it, two evictions ahead.
  [[gnu::noinline]] void foresee(std::uint32_t place) noexcept;
  [[gnu::noinline]] void link(std::uint32_t place) noexcept;
  [[gnu::noinline]] void unlink(std::uint32_t place) noexcept;
  [[gnu::noinline]] void file(Flow& flow) noexcept;

  Opening draft_;
  LargeVector<Flow> flows_;  // from 1 to capacity_
  LargeVector<Bucket> buckets_;
  std::uint64_t mask_ = 0;  // of their number, a power of two
  EvictionOrder eviction_;
  LineVector<std::uint32_t> held_;  // flows, by row_of() their client
  StandIns stand_ins_;
  // The flow that foresee() hashed the keys of; place 0: none.
  struct Foreseen {
    std::uint32_t place = 0;
    Hashes keys;
  };
  Foreseen foreseen_;
  // What expect() was told last.
  struct Expected {
    FlowKey key;
    std::uint64_t hash = 0;
  };
  Expected expected_;
  Secret secret_;
  PortMappings* mappings_;
  std::uint32_t capacity_;
  // A flow's `previous`: the flow before it, or the list that it heads.
  static constexpr std::uint32_t kPlace = (1U << Flow::kPlaceBits) - 1;
  static constexpr std::uint32_t kHeads = 1U << (Flow::kPlaceBits - 1);
  static_assert(kWheelTicks <= kHeads && wire::kMaxRules <= Flow::kRuleMask + 1 &&
                wire::kMaxDevices < 1U << kHomeDeviceBits &&
                wire::kMaxSegments < 1U << (31 - kHomeDeviceBits));
  std::array<std::uint32_t, kWheelTicks> wheel_{};  // heads; 0 = empty
  std::uint32_t free_ = 0;                          // head of free places, through Flow::next
  std::uint32_t size_ = 0;
  std::uint32_t tick_ = 0;        // the next tick to be looked at
  std::uint32_t cursor_ = 0;      // where a tick that ran out of budget goes on
  std::uint16_t insertions_ = 0;  // counts round; a burst has few
  bool walking_ = false;          // is the list of tick_ half walked?
};

}  // namespace sallyport::dataplane
