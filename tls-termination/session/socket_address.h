// Between addresses of the vocabulary and the kernel's.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
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

}  // namespace sallyport::terminator
