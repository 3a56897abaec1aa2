#include "tls-termination/inspect/modbus.h"

#include <algorithm>
#include <array>

namespace sallyport::terminator {
namespace {

constexpr std::size_t kPrefix = 6;  // transaction, protocol, length; the length counts what follows
constexpr std::size_t kMinLength = 2;  // unit and function code
constexpr std::size_t kMaxLength = kMaxModbusFrame - kPrefix;
constexpr std::uint8_t kExceptionBit = 0x80;
constexpr std::uint8_t kIllegalFunction = 0x01;

std::bitset<256> set_of(std::span<const std::uint8_t> values) {
  std::bitset<256> out;
  if (values.empty()) out.set();
  for (const std::uint8_t value : values) out.set(value);
  return out;
}

}  // namespace

ModbusRules ModbusRules::make(std::span<const std::uint8_t> functions,
                              std::span<const std::uint8_t> units) {
  return {set_of(functions), set_of(units)};
}

bool ModbusInspector::malformed(const char* side, const char* what) {
  fault_ = std::string(side) + " sent no Modbus/TCP: " + what;
  return false;
}

// Calls take(frame) for each whole frame; keeps an unfinished one in `rest`.
template <class Take>
bool ModbusInspector::frames(Bytes& rest, ConstBytes bytes, const char* side, const Take& take) {
  while (!bytes.empty()) {
    const auto grow = [&](std::size_t wanted) {
      const std::size_t more = std::min(bytes.size(), wanted - std::min(wanted, rest.size()));
      rest.insert(rest.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(more));
      bytes = bytes.subspan(more);
      return rest.size() >= wanted;
    };
    if (!grow(kPrefix)) return true;
    Cursor header(rest);
    header.skip(2);
    const std::uint16_t protocol = header.be16().value_or(0xffff);
    const std::size_t length = header.be16().value_or(0);
    if (protocol != 0) return malformed(side, "the protocol identifier is not 0");
    if (length < kMinLength || length > kMaxLength)
      return malformed(side, "the length is out of range");
    if (!grow(kPrefix + length)) return true;
    if (!take(ConstBytes(rest))) return false;
    rest.clear();
  }
  return true;
}

bool ModbusInspector::from_client(ConstBytes bytes, Bytes& to_device, Bytes& to_client,
                                  std::vector<RefusedRequest>& refused) {
  return frames(client_rest_, bytes, "the client", [&](ConstBytes frame) {
    const std::uint8_t unit = frame[kPrefix];
    const std::uint8_t function = frame[kPrefix + 1];
    if ((function & kExceptionBit) != 0 || function == 0)
      return malformed("the client", "the function code is none of a request");
    if (rules_.functions.test(function) && rules_.units.test(unit)) {
      to_device.insert(to_device.end(), frame.begin(), frame.end());
      return true;
    }
    refused.push_back({function, unit});
    const std::array<std::uint8_t, 9> exception = {
        frame[0],
        frame[1],
        0,
        0,
        0,
        3,
        unit,
        static_cast<std::uint8_t>(function | kExceptionBit),
        kIllegalFunction};
    to_client.insert(to_client.end(), exception.begin(), exception.end());
    return true;
  });
}

bool ModbusInspector::from_device(ConstBytes bytes, Bytes& to_client) {
  return frames(device_rest_, bytes, "the device", [&](ConstBytes frame) {
    const std::uint8_t unit = frame[kPrefix];
    const auto function = static_cast<std::uint8_t>(frame[kPrefix + 1] & ~kExceptionBit);
    if (!rules_.functions.test(function) || !rules_.units.test(unit))
      return malformed("the device", "it answers a request that cannot have reached it");
    to_client.insert(to_client.end(), frame.begin(), frame.end());
    return true;
  });
}

}  // namespace sallyport::terminator
