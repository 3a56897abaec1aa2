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

// As words, which are compared, hashed and copied at once.
class DropKey {
 public:
  struct Of {
    std::uint16_t segment = kNoSegment;
    std::uint16_t port = 0;  // gateway port the packet came by
    // Slot of the enrolled device, or kNoDevice: then `mac` says who.
    std::uint32_t device = kNoDevice;
    std::uint64_t mac = 0;  // mac_word()
    Drop reason = Drop::kDefaultDeny;
    std::uint8_t protocol = 0;                   // IP protocol, 0 if none
    std::uint16_t destination_port = 0;          // 0 if none
    std::array<std::uint64_t, 2> destination{};  // its words; unspecified if none
  };
  DropKey() noexcept : DropKey(Of{}) {}
  [[gnu::always_inline]] explicit DropKey(const Of& of) noexcept
      : where_(of.port | std::uint64_t{of.segment} << 16 | std::uint64_t{of.device} << 32),
        what_(of.mac | static_cast<std::uint64_t>(of.reason) << 48 |
              std::uint64_t{of.protocol} << 56),
        destination_port_(of.destination_port),
        destination_(of.destination) {}

  // Port, segment and device.
  std::uint64_t where() const noexcept { return where_; }
  std::uint16_t port() const noexcept { return static_cast<std::uint16_t>(where_); }
  std::uint16_t segment() const noexcept { return static_cast<std::uint16_t>(where_ >> 16); }
  std::uint32_t device() const noexcept { return static_cast<std::uint32_t>(where_ >> 32); }
  MacAddress mac() const noexcept { return word_mac(what_); }
  Drop reason() const noexcept { return static_cast<Drop>(what_ >> 48 & 0xff); }
  std::uint8_t protocol() const noexcept { return static_cast<std::uint8_t>(what_ >> 56); }
  std::uint16_t destination_port() const noexcept {
    return static_cast<std::uint16_t>(destination_port_);
  }
  IpAddress destination() const noexcept {
    return IpAddress::v6(std::bit_cast<std::array<std::uint8_t, 16>>(destination_));
  }
  // Stands for further destinations of this source in this second, and names none.
  bool overflow() const noexcept { return destination_port_ == kOverflow; }

  friend bool operator==(const DropKey& a, const DropKey& b) noexcept {
    return ((a.where_ ^ b.where_) | (a.what_ ^ b.what_) |
            (a.destination_port_ ^ b.destination_port_) | (a.destination_[0] ^ b.destination_[0]) |
            (a.destination_[1] ^ b.destination_[1])) == 0;
  }

 private:
  friend class DropRecords;
  static constexpr std::uint64_t kOverflow = 1U << 16, kMac = (std::uint64_t{1} << 48) - 1;
  // Of this one's source.
  DropKey rest() const noexcept {
    DropKey out = *this;
    out.what_ = what();
    out.destination_port_ = kOverflow;
    out.destination_ = {};
    return out;
  }
  // Who and why, as an overflow record says it: a stranger's MAC is not said.
  std::uint64_t what() const noexcept { return device() == kNoDevice ? what_ & ~kMac : what_; }
  std::uint64_t hash() const noexcept {
    return fold(what_ ^ destination_[1] ^ 0x9e3779b97f4a7c15U,
                where_ ^ std::rotl(destination_[0], 24) ^ std::rotl(destination_port_, 48) ^
                    0xff51afd7ed558ccdU);
  }
  std::uint64_t where_;
  std::uint64_t what_;              // MAC, reason and protocol
  std::uint64_t destination_port_;  // or kOverflow
  std::array<std::uint64_t, 2> destination_;
};

// Of the first packet of a record: with its key, all that it takes to ask policy again.
struct DropExample {
  IpAddress source;
  std::uint16_t source_port = 0;
  std::uint16_t vlan = 0;
  std::uint8_t tcp_flags = 0;
  std::uint64_t revision = 0;  // in force then; 0 = none
};

// What a repeat compares and counts is its first cache line.
struct alignas(kCacheLine) DropRecord {
  DropKey key;
  Instant first;
  Instant last;
  std::uint64_t packets = 0;
  DropExample example;
};
static_assert(offsetof(DropRecord, example) == kCacheLine);

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
    record(key, key.hash(), std::forward<Example>(example), now);
  }
  // The same for a burst, so that memory is on its way before it is needed: prepare() each key,
  // then approach() each, then record() each with what prepare() returned.
  std::uint64_t prepare(const DropKey& key) const noexcept {
    const std::uint64_t hash = key.hash();
    __builtin_prefetch(&index_[hash & mask_]);
    __builtin_prefetch(&budgets_.data()[budget_of(key)]);
    return hash;
  }
  void approach(const DropKey& key, std::uint64_t hash) const noexcept {
    const Hint hint = index_[hash & mask_];
    const std::size_t place = hint.mark == mark_of(hash)
                                  ? hint.place
                                  : budgets_.data()[budget_of(key)].overflow.data()[kind_of(key)];
    if (place - 1 < capacity_) __builtin_prefetch(&records_[place - 1], 1);
  }
  template <class Example>
  [[gnu::always_inline]] void record(const DropKey& key, std::uint64_t hash, Example&& example,
                                     Instant now) noexcept {
    if (!in_second(now)) begins_ = now.ns() - now.ns() % kSecond;
    const Hint hint = index_[hash & mask_];
    if (hint.mark == mark_of(hash))
      if (DropRecord* seen = at(hint.place); seen && seen->key == key) return count(*seen, now);
    const Budget& budget = budgets_.data()[budget_of(key)];
    if (budget.device == key.device() && budget.begins == begins_ &&
        budget.used == kRecordsPerSource)
      if (DropRecord* seen = at(budget.overflow.data()[kind_of(key)]); seen && is_rest(*seen, key))
        return count(*seen, now);
    const DropKey kept = key;  // so that the other may stay in registers
    if (DropRecord* const begun = begin(kept, hash, now)) begun->example = example();
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

  static std::uint16_t mark_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint16_t>(hash >> 48);
  }
  // Unknown senders share the budget of the port they come by: a MAC costs them nothing. Two
  // devices in one place have it in turn.
  static std::size_t budget_of(const DropKey& key) noexcept {
    return key.device() == kNoDevice ? kDeviceBudgets + key.port() % kPortBudgets
                                     : key.device() % kDeviceBudgets;
  }
  // Which of a budget's overflow places; reasons and protocols that share one have it in turn.
  static std::size_t kind_of(const DropKey& key) noexcept {
    return (key.what_ >> 48) * 0x9e3779b97f4a7c15U >> 61;
  }
  static void count(DropRecord& record, Instant now) noexcept {
    ++record.packets;
    record.last = now;
  }
  // Does it take what exceeds the budget of this key's source?
  static bool is_rest(const DropRecord& record, const DropKey& key) noexcept {
    return ((record.key.destination_port_ ^ DropKey::kOverflow) | (record.key.where_ ^ key.where_) |
            (record.key.what_ ^ key.what())) == 0;
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
  // A record that lacks its example; nullptr if there was one that takes this packet.
  [[gnu::noinline]] DropRecord* begin(const DropKey& key, std::uint64_t hash, Instant now) noexcept;
  // The place of a new record.
  std::uint16_t add(const DropKey& key, Instant now) noexcept;

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
