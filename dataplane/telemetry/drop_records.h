// "Why did it fail ten minutes ago" has an answer even after a flood: one record per (segment,
// device or MAC, reason, destination, port) and second, repeats counted. Half of the space is for
// enrolled devices, and within a second one source gets at most kRecordsPerSource records of its
// own; what exceeds them is counted in one record without destination. So a flood, whoever sends
// it, cannot push out more than its share.
//
// One writer thread (a worker) that never allocates; `snapshot` is called on the same thread.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/cache_line.h"
#include "dataplane/headers.h"
#include "policy/base/drop_reasons.h"
#include "policy/base/hash.h"
#include "policy/base/net.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

struct DropKey {
  std::uint16_t segment = kNoSegment;
  std::uint16_t port = 0;  // gateway port the packet came by
  std::uint32_t device =
      kNoDevice;  // slot of the enrolled device, or kNoDevice: then `mac` says who
  MacAddress mac{};
  Drop reason = Drop::kDefaultDeny;
  std::uint8_t protocol = 0;           // IP protocol, 0 if none
  std::uint16_t destination_port = 0;  // 0 if none, or in an overflow record
  IpAddress destination{};             // unspecified if none, or in an overflow record

  // All but the destination, as words that are compared and hashed at once.
  std::uint64_t where() const noexcept {
    return port | std::uint64_t{segment} << 16 | std::uint64_t{device} << 32;
  }
  std::uint64_t what() const noexcept {
    return mac_word(mac) | static_cast<std::uint64_t>(reason) << 48 | std::uint64_t{protocol} << 56;
  }
  friend bool operator==(const DropKey& a, const DropKey& b) noexcept {
    return ((a.where() ^ b.where()) | (a.what() ^ b.what()) |
            static_cast<std::uint64_t>(a.destination_port ^ b.destination_port)) == 0 &&
           a.destination == b.destination;
  }
};

// Of the first packet of a record: with its key, all that it takes to ask policy again.
struct DropExample {
  IpAddress source;
  std::uint16_t source_port = 0;
  std::uint16_t vlan = 0;
  std::uint8_t tcp_flags = 0;
  std::uint64_t revision = 0;  // in force then; 0 = none
};

struct DropRecord {
  DropKey key;
  DropExample example;
  bool overflow = false;  // stands for further destinations of this source in this second
  Instant first;
  Instant last;
  std::uint64_t packets = 0;
};

class DropRecords {
 public:
  static constexpr std::size_t kRecordsPerSource = 32;

  // Room for `capacity` records (rounded up to a power of two, 64 to 32768), half of them for
  // enrolled devices.
  explicit DropRecords(std::size_t capacity);

  // `example()` is asked for the packet's DropExample if it begins a record. What a flood costs is
  // here: a packet of a record that is there, or one that exceeds its source's.
  template <class Example>
  [[gnu::always_inline]] void record(const DropKey& key, Example&& example, Instant now) noexcept {
    if (!in_second(now)) begins_ = now.ns() - now.ns() % kSecond;
    const std::uint64_t hash = hash_of(key);
    const Hint hint = index_[hash & mask_];
    if (hint.mark == mark_of(hash))
      if (DropRecord* seen = at(hint.place); seen && seen->key == key && !seen->overflow)
        return count(*seen, now);
    const Budget& budget = budgets_[budget_of(key)];
    if (budget.device == key.device && budget.begins == begins_ && budget.used == kRecordsPerSource)
      if (DropRecord* seen = at(budget.overflow[kind_of(key)]); seen && is_rest(*seen, key))
        return count(*seen, now);
    const DropKey kept = key;  // so that the other may stay in registers
    begin(kept, hash, example(), now);
  }

  // Every record kept, newest first.
  std::vector<DropRecord> snapshot() const;

 private:
  static constexpr std::int64_t kSecond = 1'000'000'000;
  // Places count from 1; 0 = none. A place is a hint: what stands there is compared.
  struct Hint {
    std::uint16_t place = 0;
    std::uint16_t mark = 0;  // of the key's hash
  };
  // Of one source, in the second that `begins` then.
  struct Budget {
    std::int64_t begins = -1;
    std::uint32_t device = kNoDevice;
    std::uint16_t used = 0;
    std::array<std::uint16_t, 8> overflow{};  // places of records that took what exceeded it
  };
  static constexpr std::size_t kDeviceBudgets = 1024, kPortBudgets = 256;

  static std::uint64_t hash_of(const DropKey& key) noexcept {
    const auto [high, low] = key.destination.words();
    return fold(key.what() ^ low ^ 0x9e3779b97f4a7c15U,
                key.where() ^ std::rotl(high, 24) ^ std::uint64_t{key.destination_port} << 48 ^
                    0xff51afd7ed558ccdU);
  }
  static std::uint16_t mark_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint16_t>(hash >> 48);
  }
  // Unknown senders share the budget of the port they come by: a MAC costs them nothing. Two
  // devices in one place have it in turn.
  static std::size_t budget_of(const DropKey& key) noexcept {
    return key.device == kNoDevice ? kDeviceBudgets + key.port % kPortBudgets
                                   : key.device % kDeviceBudgets;
  }
  // Which of a budget's overflow places; reasons and protocols that share one have it in turn.
  static std::size_t kind_of(const DropKey& key) noexcept {
    return (key.what() >> 48) * 0x9e3779b97f4a7c15U >> 61;
  }
  static void count(DropRecord& record, Instant now) noexcept {
    ++record.packets;
    record.last = now;
  }
  // Does it take what exceeds the budget of this key's source?
  static bool is_rest(const DropRecord& record, const DropKey& key) noexcept {
    const std::uint64_t who = key.device == kNoDevice ? 0 : mac_word(key.mac);
    return record.overflow &&
           ((record.key.where() ^ key.where()) | (mac_word(record.key.mac) ^ who) |
            (record.key.what() ^ key.what()) >> 48) == 0;
  }
  bool in_second(Instant now) const noexcept {
    return static_cast<std::uint64_t>(now.ns() - begins_) < kSecond;
  }
  // The record in this place, if it is of this second.
  DropRecord* at(std::size_t place) noexcept {
    if (place - 1 >= capacity_) return nullptr;
    DropRecord& record = records_[place - 1];
    return in_second(record.first) ? &record : nullptr;
  }
  [[gnu::noinline]] void begin(const DropKey& key, std::uint64_t hash, const DropExample& example,
                               Instant now) noexcept;
  std::uint16_t add(const DropKey& key, bool overflow, const DropExample& example,
                    Instant now) noexcept;

  std::int64_t begins_ = -kSecond;  // the second of the last drop
  std::size_t capacity_;            // a power of two
  std::size_t mask_;                // of index_
  // Arrays whose bounds are the two above: a vector works its own out at each access.
  LineArray<DropRecord> records_;  // enrolled devices' half, then the others'; a ring each
  LineArray<Hint> index_;          // by the key's hash
  std::array<std::uint64_t, 2> written_{};
  std::array<Budget, kDeviceBudgets + kPortBudgets> budgets_{};
};

}  // namespace sallyport::dataplane
