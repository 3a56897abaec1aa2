// The plant that the terminator's tests play in, and the two ends of a conversation there.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "tests/support/policy/sample_gateway.h"
#include "tests/unit/terminator/rig.h"

namespace sallyport::terminator::testing {

namespace st = sallyport::testing;

// "web": the camera over HTTPS, no client certificate. "poll": the PLC over TLS with a client
// certificate and inspection. "meter": outbound, to a literal address. "inspected": SCADA's plain
// Modbus.
model::Gateway plant();
model::Conduit& conduit(model::Gateway& gateway, std::string_view name);
void remove(model::Gateway& gateway, std::string_view name);

Peer dial(Rig& rig, const std::string& conduit, IpVersion version = IpVersion::k4);
std::optional<Peer> taken(Rig& rig, const os::UniqueFd& listener);

// A client of "web" and the camera that it speaks with; aborts the test program if they do not
// meet.
struct Web {
  explicit Web(Rig& rig);
  os::UniqueFd camera;
  Peer client;
  Peer device;
};

}  // namespace sallyport::terminator::testing
