// Target: terminator::ModbusInspector. Trust: untrusted (both sides of a conduit). Property: how
// the stream is cut into pieces never changes what passes; only allowed requests reach the device;
// output is bounded by input.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "policy/base/check.h"
#include "tls-termination/inspect/modbus.h"

namespace {

using namespace sallyport;
using namespace sallyport::terminator;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint8_t kFunction = 3;
constexpr std::uint8_t kUnit = 1;

void check_only_allowed(const Bytes& device) {
  Cursor cursor(device);
  while (!cursor.empty()) {
    SALLYPORT_CHECK(cursor.skip(4));
    const auto length = cursor.be16();
    SALLYPORT_CHECK(length.has_value());
    const auto body = cursor.take(*length);
    SALLYPORT_CHECK(body.has_value() && (*body)[0] == kUnit && (*body)[1] == kFunction);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = std::size_t{1} + data[0] % 32;
  const ConstBytes stream(data + 1, size - 1);
  const ModbusRules rules = ModbusRules::make(Bytes{kFunction}, Bytes{kUnit});
  ModbusInspector whole(rules);
  ModbusInspector pieces(rules);
  Bytes device;
  Bytes client;
  Bytes device2;
  Bytes client2;
  std::vector<RefusedRequest> refused;
  const bool good = whole.from_client(stream, device, client, refused);
  bool good2 = true;
  for (std::size_t at = 0; at < stream.size() && good2; at += step)
    good2 = pieces.from_client(stream.subspan(at, std::min(step, stream.size() - at)), device2,
                               client2, refused);
  SALLYPORT_CHECK(good == good2 && device == device2 && client == client2);
  check_only_allowed(device);
  SALLYPORT_CHECK(device.size() <= stream.size() && 8 * client.size() <= 9 * stream.size());
  ModbusInspector answers(rules);
  Bytes out;
  static_cast<void>(answers.from_device(stream, out));
  SALLYPORT_CHECK(out.size() <= stream.size());
  return 0;
}
