// Sets of addresses of both versions as sorted, disjoint, non-adjacent ranges of their 128-bit
// numbers (IPv4 as IPv4-mapped, so one algebra serves both).
//
// Values; every operation returns a new set. Complexity is linear in the number of ranges.
#pragma once

#include <compare>
#include <vector>

#include "policy/base/net.h"
#include "policy/base/units.h"

namespace sallyport::compile {

using AddressNumber = Uint128;

AddressNumber to_number(const IpAddress& address) noexcept;
IpAddress to_address(AddressNumber number) noexcept;

// Inclusive.
struct AddressRange {
  AddressNumber first = 0;
  AddressNumber last = 0;
  friend auto operator<=>(const AddressRange&, const AddressRange&) = default;
};

// All IPv4 addresses, and everything.
inline constexpr AddressRange kAllV4 = {static_cast<AddressNumber>(0xffff) << 32,
                                        static_cast<AddressNumber>(0xffff) << 32 | 0xffffffffU};
inline constexpr AddressRange kEverything = {0, ~AddressNumber{0}};
constexpr bool is_v4(AddressNumber n) { return n >= kAllV4.first && n <= kAllV4.last; }

class AddressSet {
 public:
  AddressSet() = default;
  static AddressSet of(std::vector<AddressRange> ranges);  // any order, may overlap
  static AddressSet of(const IpPrefix& prefix);
  static AddressSet of(const IpAddress& address);

  const std::vector<AddressRange>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  bool contains(AddressNumber number) const;

  AddressSet unite(const AddressSet& other) const;
  AddressSet intersect(const AddressSet& other) const;
  AddressSet subtract(const AddressSet& other) const;
  AddressSet of_version(IpVersion version) const;

  friend auto operator<=>(const AddressSet&, const AddressSet&) = default;

 private:
  std::vector<AddressRange> ranges_;
};

}  // namespace sallyport::compile
