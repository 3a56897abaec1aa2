// Services by name: one table for the loader, `sallyctl` and the documentation. The plaintext flag
// says that the protocol carries its content readable on the wire (2.4.7.13, 2.4.7.14).
//
// Pure functions. Source: IANA's service name and port number registry; Modbus/TCP and the others
// as their own documents register them.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "policy/model/model.h"

namespace sallyport::control {

struct KnownService {
  std::string_view name;
  IpProtocol protocol;
  std::uint16_t port;
  bool plaintext;
  std::string_view what;
};

std::span<const KnownService> known_services();

// "modbus", "tcp/502", "tcp/20000-20100", "udp/5683", "icmp-echo"; nothing for any other text. A
// range that contains the port of a known plaintext protocol counts as plaintext.
std::optional<model::ServiceSpec> parse_service(std::string_view text);

}  // namespace sallyport::control
