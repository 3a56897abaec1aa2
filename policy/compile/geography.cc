#include "policy/compile/geography.h"

#include <algorithm>
#include <string_view>

namespace sallyport::compile {
namespace {

AddressSet prefixes(std::initializer_list<std::string_view> texts) {
  AddressSet out;
  for (const std::string_view text : texts) out = out.unite(AddressSet::of(*IpPrefix::parse(text)));
  return out;
}

// What may be forwarded at all (RFC 6890).
AddressSet routable() {
  const AddressSet v4 =
      AddressSet::of(std::vector{kAllV4})
          .subtract(prefixes({"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"}));
  return v4.unite(prefixes({"2000::/3", "fc00::/7", "64:ff9b::/96"}));
}

// The addresses of one subnet that a host may have.
AddressSet usable(const IpPrefix& subnet) {
  AddressSet all = AddressSet::of(subnet);
  if (subnet.version() == IpVersion::k6 || subnet.length() >= 31) return all;
  return all.subtract(AddressSet::of(subnet.first())).subtract(AddressSet::of(subnet.last()));
}

}  // namespace

std::vector<IpPrefix> virtual_ranges_of(const model::Gateway& gateway) {
  if (!gateway.virtual_ranges.empty()) return gateway.virtual_ranges;
  return {*IpPrefix::parse("198.18.0.0/15"), *IpPrefix::parse("fd53:414c:4c59::/64")};
}

bool is_routable(const IpAddress& address) {
  static const AddressSet kRoutable = routable();
  return kRoutable.contains(to_number(address));
}

Geography::Geography(const model::Gateway& gateway)
    : hosts_(gateway.segments.size()), own_(gateway.segments.size()) {
  for (const IpPrefix& range : virtual_ranges_of(gateway))
    virtual_space_ = virtual_space_.unite(AddressSet::of(range));
  const AddressSet anywhere = routable().subtract(virtual_space_);

  AddressSet subnets;
  for (std::size_t s = 0; s < gateway.segments.size(); ++s) {
    const model::Segment& segment = gateway.segments[s];
    for (const model::InterfaceAddress& a : segment.addresses) {
      subnets = subnets.unite(AddressSet::of(a.subnet));
      hosts_[s] = hosts_[s].unite(usable(a.subnet));
      own_[s] = own_[s].unite(AddressSet::of(a.address));
    }
    for (const IpAddress& g : segment.gateways) {
      auto& route = routes_[g.is_v4() ? 0 : 1];
      if (!route) route = s;
    }
  }
  const AddressSet elsewhere = anywhere.subtract(subnets);
  for (const IpVersion version : {IpVersion::k4, IpVersion::k6})
    if (const auto route = default_route(version))
      hosts_[*route] = hosts_[*route].unite(elsewhere.of_version(version));

  for (std::size_t s = 0; s < hosts_.size(); ++s) {
    hosts_[s] = hosts_[s].intersect(anywhere).subtract(own_[s]);
    for (const AddressRange& range : hosts_[s].ranges()) regions_.push_back({range, s, false});
    for (const AddressRange& range : own_[s].ranges()) regions_.push_back({range, s, true});
  }
  std::sort(regions_.begin(), regions_.end(),
            [](const Region& a, const Region& b) { return a.range < b.range; });
}

Place Geography::place(AddressNumber number) const {
  const auto after =
      std::partition_point(regions_.begin(), regions_.end(),
                           [&](const Region& region) { return region.range.first <= number; });
  if (after == regions_.begin() || (after - 1)->range.last < number) return {};
  return {.segment = (after - 1)->segment, .gateway = (after - 1)->gateway};
}

}  // namespace sallyport::compile
