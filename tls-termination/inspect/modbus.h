// Modbus/TCP (MODBUS Messaging on TCP/IP V1.0b, MBAP header) between a client and a device: only
// requests with allowed function codes and unit ids reach the device. A forbidden request is
// answered with exception 01 (illegal function) in the device's stead and reported; bytes that are
// no Modbus end the conversation.
//
// Trust: both sides are hostile. Bounded: at most one frame (kMaxModbusFrame) is kept per
// direction. Pure: bytes in, bytes out; no I/O, no clock. An empty list allows every value.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "policy/base/bytes.h"

namespace sallyport::terminator {

inline constexpr std::size_t kMaxModbusFrame = 260;  // 7 bytes of MBAP and a PDU of 253

struct ModbusRules {
  std::bitset<256> functions;
  std::bitset<256> units;
  static ModbusRules make(std::span<const std::uint8_t> functions,
                          std::span<const std::uint8_t> units);
};

// A request that policy kept from the device.
struct RefusedRequest {
  std::uint8_t function = 0;
  std::uint8_t unit = 0;
  friend bool operator==(const RefusedRequest&, const RefusedRequest&) = default;
};

class ModbusInspector {
 public:
  explicit ModbusInspector(const ModbusRules& rules) : rules_(rules) {}

  using Bytes = std::vector<std::uint8_t>;
  // Whole allowed requests are appended to `to_device`, exceptions to `to_client`, refusals to
  // `refused`. False: not Modbus, cut; fault() says why.
  bool from_client(ConstBytes bytes, Bytes& to_device, Bytes& to_client,
                   std::vector<RefusedRequest>& refused);
  // Whole responses are appended to `to_client`.
  bool from_device(ConstBytes bytes, Bytes& to_client);

  const std::string& fault() const { return fault_; }

 private:
  bool malformed(const char* side, const char* what);
  template <class Take>
  bool frames(Bytes& rest, ConstBytes bytes, const char* side, const Take& take);

  ModbusRules rules_;
  Bytes client_rest_;
  Bytes device_rest_;
  std::string fault_;
};

}  // namespace sallyport::terminator
