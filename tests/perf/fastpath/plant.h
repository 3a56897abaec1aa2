// The gateway that the fast-path bench measures: enrolled devices of segment `field` on port `in`
// dial enrolled devices of segment `office` on port `out`, each pair under a conduit of its own
// with its own port. Compiled by the real compiler into the real snapshot.
//
// Pure; aborts if the plant does not compile.
#pragma once

#include <memory>
#include <vector>

#include "dataplane/tables.h"
#include "policy/model/model.h"

namespace sallyport::bench {

struct Plant {
  std::size_t devices = 100;   // in each segment
  std::size_t conduits = 300;  // TCP and UDP in turn
  // The servers are beyond an uplink with NAPT44 and the one router kRouter; it is a VLAN of `in`,
  // so that one capture has both directions.
  bool mapped = false;
  // Of a revision above 1, one conduit in a hundred means something else than in the others: the
  // revision's own hundredth, taken in turn.
  std::uint64_t revision = 1;
  bool meant_anew(std::size_t index) const {
    return revision > 1 && index % kShare == revision % kShare;
  }
  static constexpr std::size_t kShare = 100;
};
inline constexpr std::uint16_t kOutsideVlan = 100;
inline constexpr MacAddress kRouterMac({2, 0, 31, 0, 0, 2});
inline constexpr IpAddress kRouter = IpAddress::v4(0x0a1f0002);
inline constexpr IpAddress kOutsideOwn = IpAddress::v4(0x0a1f0001);

struct Ends {
  MacAddress client_mac, server_mac;
  IpAddress client4, client6, server4, server6;
  IpProtocol protocol = IpProtocol::kTcp;
  std::uint16_t port = 0;
  const IpAddress& client(IpVersion v) const { return v == IpVersion::k4 ? client4 : client6; }
  const IpAddress& server(IpVersion v) const { return v == IpVersion::k4 ? server4 : server6; }
};
// Of conduit `index`.
Ends ends_of(const Plant& plant, std::size_t index);

class BuiltPlant {
 public:
  // `before`: whose revision it follows.
  explicit BuiltPlant(const Plant& plant, const dataplane::Tables* before = nullptr);
  const dataplane::Tables& tables() const { return *tables_; }
  dataplane::PortSlot port(const char* name) const;
  MacAddress gateway_mac(const char* segment) const;

 private:
  std::unique_ptr<const dataplane::Tables> tables_;
};

}  // namespace sallyport::bench
