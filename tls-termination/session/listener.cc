#include "tls-termination/session/listener.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "tls-termination/session/socket_address.h"

namespace sallyport::terminator {
namespace {

constexpr int kBacklog = 512;
// From <linux/in6.h>, which does not go together with <netinet/in.h>.
constexpr int kIpv6FreeBind = 78;

}  // namespace

Result<std::unique_ptr<Terminator::Listener>> Terminator::Listener::open(Terminator& front,
                                                                         os::UniqueFd socket,
                                                                         const ListenAddress& where,
                                                                         std::string conduit) {
  const int on = 1;
  const bool v4 = where.address.is_v4();
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // An address that is still being added (DAD) must not fail the revision.
  if (v4) {
    ::setsockopt(socket.get(), IPPROTO_IP, IP_FREEBIND, &on, sizeof(on));
  } else {
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    ::setsockopt(socket.get(), IPPROTO_IPV6, kIpv6FreeBind, &on, sizeof(on));
  }
  const SocketAddress at = socket_address(where.address, where.port);
  if (::bind(socket.get(), at.raw(), at.size) != 0 || ::listen(socket.get(), kBacklog) != 0)
    return fail(ErrorKind::kSystem, "listener-failed",
                fmt::format("{} in segment {}: {}", endpoint(where.address, where.port),
                            where.segment, std::strerror(errno)));
  return std::unique_ptr<Listener>(
      new Listener(front, std::move(socket), where, std::move(conduit)));
}

Terminator::Listener::~Listener() {
  front_.forget_waiting(*this);
  front_.loop_.cancel_timer(*this);
  pause();
}

void Terminator::Listener::pause() { front_.loop_.forget(socket_.get()); }
void Terminator::Listener::resume() { front_.loop_.watch(socket_.get(), EPOLLIN, *this); }

void Terminator::Listener::rest() {
  pause();
  front_.loop_.set_timer(*this, front_.loop_.now() + kRest);
}

}  // namespace sallyport::terminator
