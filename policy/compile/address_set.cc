#include "policy/compile/address_set.h"

#include <algorithm>

namespace sallyport::compile {

AddressNumber to_number(const IpAddress& address) noexcept {
  AddressNumber out = 0;
  for (const std::uint8_t byte : address.bytes()) out = out << 8 | byte;
  return out;
}

IpAddress to_address(AddressNumber number) noexcept {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i)
    bytes[i] = static_cast<std::uint8_t>(number >> (120 - 8 * i));
  return IpAddress::v6(bytes);
}

AddressSet AddressSet::of(std::vector<AddressRange> ranges) {
  std::sort(ranges.begin(), ranges.end());
  AddressSet out;
  for (const AddressRange& range : ranges) {
    if (out.ranges_.empty()) {
      out.ranges_.push_back(range);
      continue;
    }
    AddressRange& tail = out.ranges_.back();
    const bool touches = tail.last == kEverything.last || range.first <= tail.last + 1;
    if (touches) {
      tail.last = std::max(tail.last, range.last);
    } else {
      out.ranges_.push_back(range);
    }
  }
  return out;
}

AddressSet AddressSet::of(const IpPrefix& prefix) {
  return of({{to_number(prefix.first()), to_number(prefix.last())}});
}
AddressSet AddressSet::of(const IpAddress& address) {
  return of({{to_number(address), to_number(address)}});
}

bool AddressSet::contains(AddressNumber number) const {
  const auto after =
      std::partition_point(ranges_.begin(), ranges_.end(),
                           [&](const AddressRange& range) { return range.first <= number; });
  return after != ranges_.begin() && (after - 1)->last >= number;
}

AddressSet AddressSet::unite(const AddressSet& other) const {
  std::vector<AddressRange> all = ranges_;
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  return of(std::move(all));
}

AddressSet AddressSet::intersect(const AddressSet& other) const {
  AddressSet out;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const AddressRange both = {std::max(a->first, b->first), std::min(a->last, b->last)};
    if (both.first <= both.last) out.ranges_.push_back(both);
    ++(a->last < b->last ? a : b);
  }
  return out;
}

AddressSet AddressSet::subtract(const AddressSet& other) const {
  AddressSet out;
  auto hole = other.ranges_.begin();
  for (AddressRange rest : ranges_) {
    while (hole != other.ranges_.end() && hole->last < rest.first) ++hole;
    bool whole_gone = false;
    for (auto h = hole; h != other.ranges_.end() && h->first <= rest.last; ++h) {
      if (h->first > rest.first) out.ranges_.push_back({rest.first, h->first - 1});
      if (h->last >= rest.last) {
        whole_gone = true;
        break;
      }
      rest.first = h->last + 1;
    }
    if (!whole_gone) out.ranges_.push_back(rest);
  }
  return out;
}

AddressSet AddressSet::of_version(IpVersion version) const {
  const AddressSet v4 = of(std::vector{kAllV4});
  return version == IpVersion::k4 ? intersect(v4) : subtract(v4);
}

}  // namespace sallyport::compile
