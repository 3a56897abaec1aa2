// Between addresses of the vocabulary and the kernel's.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <utility>

#include "policy/base/net.h"

namespace sallyport::terminator {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
};
SocketAddress socket_address(const IpAddress& address, std::uint16_t port);
// An IPv4-mapped IPv6 address is an IPv4 one.
std::pair<IpAddress, std::uint16_t> address_and_port(const sockaddr_storage& from);

// For people: "192.0.2.1:443", "[2001:db8::1]:443".
std::string endpoint(const IpAddress& address, std::uint16_t port);

}  // namespace sallyport::terminator
