// A snapshot as bytes: the header, and a view that exists only over bytes which passed every check.
//
//   | magic 8 | schema hash 16 | revision 8 | body size 8 | SHA-256 of the body 32 | zero 8 | body
//   |
//
// Integers are little-endian. The schema hash is the start of SHA-256 over snapshot.fbs's text, so
// two programs built from different schemas never understand each other by accident. The body is a
// FlatBuffer (snapshot.fbs), position-independent and used in place.
//
// Valid input of verify(): any bytes at all, aligned to 8 (a mapping or an allocation is). Refusals
// are Error{kInvalid} with one of these codes, checked in this order:
//   snapshot-misaligned     the memory itself (a bug of the caller, kUsage)
//   snapshot-truncated      shorter than a header, or length differs from what the header says
//   snapshot-too-large      above kMaxSnapshotSize
//   snapshot-bad-magic      not a snapshot
//   snapshot-wrong-version  made for another schema
//   snapshot-bad-header     reserved bytes are not zero
//   snapshot-bad-digest     the body is not what was signed off
//   snapshot-bad-structure  not a well-formed FlatBuffer of this schema
//   snapshot-bad-meaning    some index, order, range, name or table is wrong; context says which
//
// Ownership: a view borrows the bytes, which must stay mapped and unchanged (sealed memfd) while it
// lives; it is a cheap value to copy. Thread: immutable, shared freely.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "policy/base/bytes.h"
#include "policy/base/net.h"
#include "policy/base/result.h"
#include "policy/wire/snapshot_generated.h"
#include "policy/wire/tables.h"

namespace sallyport::wire {

inline constexpr std::size_t kSnapshotHeaderSize = 80;
inline constexpr std::size_t kSnapshotAlignment = 8;
inline constexpr std::size_t kMaxSnapshotSize = std::size_t{256} << 20;

class SnapshotView {
 public:
  static Result<SnapshotView> verify(ConstBytes bytes);

  // The whole of it, for tables that are not on the packet path. Every vector and every required
  // string in it is present.
  const Snapshot& root() const noexcept { return *root_; }
  ConstBytes bytes() const noexcept { return bytes_; }
  std::uint64_t revision() const noexcept { return root_->revision(); }

  // Structures in place. devices and rules are indexed by slot and may have holes (valid() == 0).
  std::span<const Member> members() const noexcept { return members_; }
  std::span<const Device> devices() const noexcept { return devices_; }
  std::span<const Address> device_addresses() const noexcept { return device_addresses_; }
  std::span<const BindSlot> bind_table() const noexcept { return bind_table_; }
  std::span<const Interval4> intervals4() const noexcept { return intervals4_; }
  std::span<const Interval6> intervals6() const noexcept { return intervals6_; }
  std::span<const PairSlot> pairs() const noexcept { return pairs_; }
  std::span<const RangeRule> ranges() const noexcept { return ranges_; }
  std::span<const Rule> rules() const noexcept { return rules_; }

  // By slot; nullptr if there is none. Tables are sorted by slot, so these are binary searches: for
  // building and showing, not per packet.
  const Port* port(std::uint16_t slot) const noexcept;
  const Segment* segment(std::uint16_t slot) const noexcept;
  const Conduit* conduit(std::uint32_t slot) const noexcept;
  // By name; nullptr if there is none. Linear.
  const Segment* segment(std::string_view name) const noexcept;
  const Port* port(std::string_view name) const noexcept;

  // Empty when the slot is a hole or out of range.
  std::string_view device_name(std::uint32_t slot) const noexcept;
  std::string_view rule_name(std::uint32_t slot) const noexcept;
  // The gateway's own address of this version on a segment; nullptr if it has none.
  const Address* host_address(std::uint16_t segment, IpVersion version) const noexcept;

 private:
  SnapshotView() = default;
  ConstBytes bytes_;
  const Snapshot* root_ = nullptr;
  std::span<const Member> members_;
  std::span<const Device> devices_;
  std::span<const Address> device_addresses_;
  std::span<const BindSlot> bind_table_;
  std::span<const Interval4> intervals4_;
  std::span<const Interval6> intervals6_;
  std::span<const PairSlot> pairs_;
  std::span<const RangeRule> ranges_;
  std::span<const Rule> rules_;
};

// Puts the header before a finished FlatBuffer body. The result is aligned as verify() needs it.
// It is not verified: policy/compile does that before it hands anything out.
std::vector<std::uint8_t> seal_snapshot(std::uint64_t revision, ConstBytes body);

// Between generated structures and the vocabulary of policy/base.
inline IpAddress to_ip(const Address& address) noexcept {
  return IpAddress::v6(std::bit_cast<std::array<std::uint8_t, 16>>(address));
}
Address to_wire(const IpAddress& address) noexcept;
inline MacAddress to_mac(const Mac& mac) noexcept {
  return MacAddress(std::bit_cast<std::array<std::uint8_t, 6>>(mac));
}
Mac to_wire(const MacAddress& mac) noexcept;
// Empty for an absent string.
std::string_view text(const flatbuffers::String* string) noexcept;

}  // namespace sallyport::wire
