// Conduits of the bare gateway that most tests of the compiler begin with.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "policy/model/model.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::compile {

inline model::Conduit& conduit(model::Gateway& g, model::End from, model::End to,
                               model::ServiceSpec service) {
  return testing::add_conduit(g, "c" + std::to_string(g.conduits.size()), std::move(from),
                              std::move(to), std::move(service));
}
inline model::Conduit& listener(model::Gateway& g, std::uint16_t port = 802) {
  model::Conduit& c =
      conduit(g, testing::segment("office"), testing::device("press4"), testing::tcp(502));
  c.terminate = testing::inbound(port);
  return c;
}
inline model::Conduit& dialler(model::Gateway& g, model::End to = testing::name("a.example")) {
  model::Conduit& c = conduit(g, testing::device("meter"), std::move(to), testing::tcp(1883));
  c.terminate = testing::outbound("a.example", 8883);
  return c;
}
inline void inspect(model::Conduit& c) { c.inspect.modbus = model::ModbusInspect{{3}, {}}; }

}  // namespace sallyport::compile
