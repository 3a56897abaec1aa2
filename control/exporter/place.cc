#include "control/exporter/place.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "policy/os/sandbox.h"
#include "policy/os/system_error.h"

namespace sallyport::exporter {
namespace {

constexpr int kBacklog = 16;

Result<os::UniqueFd> make_socket(int family) {
  os::UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail(os::system_error("socket", "socket"));
  const int yes = 1;
  // Started again, it is heard again at once.
  if (::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
      (family == AF_INET6 &&
       ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes)) != 0))
    return fail(os::system_error("socket", "setsockopt"));
  return socket;
}

}  // namespace

std::optional<Place> find_place(const std::string& path) {
  struct stat info{};
  struct stat own{};
  if (::stat(path.c_str(), &info) != 0 || ::stat("/proc/self/ns/net", &own) != 0)
    return std::nullopt;
  // A file is made first and the namespace mounted over it: then it is of the kernel's nsfs.
  if (info.st_dev != own.st_dev) return std::nullopt;
  return Place{path, info.st_dev, info.st_ino};
}

bool is_still(const Place& place) {
  struct stat info{};
  return ::stat(place.path.c_str(), &info) == 0 && info.st_dev == place.device &&
         info.st_ino == place.inode;
}

Result<void> enter(const Place& place) { return os::enter_netns(place.path); }

Result<std::vector<os::UniqueFd>> bind_both(std::uint16_t port) {
  std::vector<os::UniqueFd> out;
  SALLYPORT_TRY(os::UniqueFd four, make_socket(AF_INET));
  sockaddr_in any4{};
  any4.sin_family = AF_INET;
  any4.sin_port = htons(port);
  if (::bind(four.get(), reinterpret_cast<const sockaddr*>(&any4), sizeof(any4)) != 0)
    return fail(os::system_error("bind", "the port over IPv4"));
  SALLYPORT_TRY(os::UniqueFd six, make_socket(AF_INET6));
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_port = htons(port);
  if (::bind(six.get(), reinterpret_cast<const sockaddr*>(&any6), sizeof(any6)) != 0)
    return fail(os::system_error("bind", "the port over IPv6"));
  out.push_back(std::move(four));
  out.push_back(std::move(six));
  return out;
}

Result<void> listen_on(const std::vector<os::UniqueFd>& sockets) {
  for (const os::UniqueFd& socket : sockets)
    if (::listen(socket.get(), kBacklog) != 0) return fail(os::system_error("listen", "listen"));
  return {};
}

}  // namespace sallyport::exporter
