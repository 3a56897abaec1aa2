// "Why did it fail ten minutes ago" has an answer even after a flood: one record per (segment,
// device or MAC, reason, destination, port) and second, repeats counted. Half of the space is for
// enrolled devices, and within a second one source gets at most kRecordsPerSource records of its
// own; what exceeds them is counted in one record without destination. So a flood, whoever sends
// it, cannot push out more than its share.
//
// One writer thread (a worker) that never allocates; `snapshot` is called on the same thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/headers.h"
#include "policy/base/drop_reasons.h"
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
  friend bool operator==(const DropKey&, const DropKey&) = default;
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

  // Room for `capacity` records (rounded up to a power of two, at least 64), half of them for
  // enrolled devices.
  explicit DropRecords(std::size_t capacity);

  void record(const DropKey& key, const DropExample& example, Instant now) noexcept;

  // Every record kept, newest first.
  std::vector<DropRecord> snapshot() const;

 private:
  struct Ring {
    std::vector<DropRecord> records;
    std::uint64_t written = 0;
  };
  struct Budget {
    std::uint64_t source = 0;
    std::int64_t second = -1;
    std::uint32_t used = 0;
    std::uint32_t overflow = 0;  // place of the record that took what exceeded it last
  };
  static constexpr std::size_t kBudgets = 1024;

  // Places count from 1; 0 = none. A place is a hint: what stands there is compared.
  std::uint32_t add(const DropKey& key, bool overflow, const DropExample& example,
                    Instant now) noexcept;
  Budget& budget_of(const DropKey& key, std::int64_t second) noexcept;
  DropRecord* at(std::uint32_t place, const DropKey& key, bool overflow,
                 std::int64_t second) noexcept;

  Ring enrolled_;
  Ring others_;
  std::vector<std::uint32_t>
      index_;  // hash of (key, second) -> position + 1 in its ring; a hint that is checked
  std::vector<Budget> budgets_;
};

}  // namespace sallyport::dataplane
