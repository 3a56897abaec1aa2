// Small configurations as values, for tests: short builders and one sample plant that uses every
// kind of conduit (the design's example with an office, a camera and the gateway's own traffic).
//
// Conduit n (from 0) is written in line 100 + n, column 3.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

#include "policy/compile/compile.h"
#include "policy/model/model.h"

namespace sallyport::testing {

// Abort on text that is not one: a test's own mistake.
IpAddress ip(std::string_view text);
IpPrefix prefix(std::string_view text);
MacAddress mac(std::string_view text);
model::InterfaceAddress own(std::string_view address, unsigned length);

model::ServiceSpec tcp(std::uint16_t first, std::uint16_t last = 0);
model::ServiceSpec udp(std::uint16_t first, std::uint16_t last = 0);
model::ServiceSpec echo();

model::End device(std::string name);
model::End segment(std::string name, std::initializer_list<std::string_view> prefixes = {});
model::End addresses(std::initializer_list<std::string_view> list);
model::End name(std::string dns);

model::Review reviewed();
// A reviewed conduit at the next position.
model::Conduit& add_conduit(model::Gateway& gateway, std::string name, model::End from,
                            model::End to, model::ServiceSpec service);
model::Terminate inbound(std::uint16_t listen_port);
model::Terminate outbound(std::string server_name, std::uint16_t server_port);

// Ports, segments uplink, field and office with both IP versions, devices press4, meter, camera in
// field and scada in office; no conduits.
model::Gateway bare_gateway();
// The same with one conduit of each kind.
model::Gateway sample_gateway();

// Compiles or aborts with the diagnostics.
compile::Compiled compiled(const model::Gateway& gateway, compile::CompileInput input = {});
wire::SnapshotView view_of(const compile::Compiled& compiled);

}  // namespace sallyport::testing
