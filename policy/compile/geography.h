// Where every address of both spaces lives, before devices and conduits are considered: in a
// segment's subnets, beyond the uplink with the default route, in the virtual ranges, or nowhere.
//
//   nowhere   what can never be forwarded (RFC 6890): IPv4 0/8, 127/8, 169.254/16, 224/3; IPv6 all
//             but 2000::/3, fc00::/7 and 64:ff9b::/96; network and broadcast address of an IPv4
//             subnet; everything outside all subnets for which no uplink has a next hop
//   virtual   the virtual ranges: taken from everyone else, each used by a terminated name or
//   nowhere
//
// Pure value over a model whose subnets do not overlap (an error already if they do).
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "policy/compile/address_set.h"
#include "policy/model/model.h"

namespace sallyport::compile {

// As configured, or 198.18.0.0/15 (RFC 2544) and fd53:414c:4c59::/64.
std::vector<IpPrefix> virtual_ranges_of(const model::Gateway& gateway);

// Could a host that the gateway forwards for have this address?
bool is_routable(const IpAddress& address);

struct Place {
  std::optional<std::size_t> segment;  // index in the model; none: nowhere or virtual
  bool gateway = false;                // the gateway's own address there
};

class Geography {
 public:
  explicit Geography(const model::Gateway& gateway);

  // Everything that lives in a segment except the gateway's own addresses.
  const AddressSet& hosts(std::size_t segment) const { return hosts_[segment]; }
  const AddressSet& own(std::size_t segment) const { return own_[segment]; }
  const AddressSet& virtual_space() const { return virtual_space_; }
  // The uplink that leads everywhere else.
  std::optional<std::size_t> default_route(IpVersion version) const {
    return routes_[version == IpVersion::k4 ? 0 : 1];
  }
  Place place(AddressNumber number) const;

  struct Region {
    AddressRange range;
    std::size_t segment = 0;
    bool gateway = false;
  };
  // Disjoint, ascending; what lies between is nowhere or virtual.
  const std::vector<Region>& regions() const { return regions_; }

 private:
  std::vector<AddressSet> hosts_;
  std::vector<AddressSet> own_;
  AddressSet virtual_space_;
  std::array<std::optional<std::size_t>, 2> routes_;
  std::vector<Region> regions_;
};

}  // namespace sallyport::compile
