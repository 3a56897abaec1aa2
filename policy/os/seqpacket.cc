#include "policy/os/seqpacket.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "policy/os/system_error.h"

namespace sallyport::os {
namespace {

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorKind::kUsage, "socket-path",
                fmt::format("{}: 1 to {} bytes", path, sizeof(address.sun_path) - 1));
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Result<UniqueFd> make_socket() {
  UniqueFd fd(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(system_error("socket-create", "AF_UNIX"));
  return fd;
}

bool wait_for(int fd, short events, std::chrono::milliseconds wait) {
  const auto end = std::chrono::steady_clock::now() + wait;
  pollfd entry = {fd, events, 0};
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    const int ready = ::poll(&entry, 1, static_cast<int>(std::max<std::int64_t>(0, left.count())));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace

Result<UniqueFd> listen_at(const std::string& path, mode_t mode) {
  SALLYPORT_TRY(const sockaddr_un address, address_of(path));
  struct stat status = {};
  if (::lstat(path.c_str(), &status) == 0) {
    if (!S_ISSOCK(status.st_mode))
      return fail(ErrorKind::kRefused, "socket-path", path + " is there and no socket");
    if (::unlink(path.c_str()) != 0) return fail(system_error("socket-unlink", path));
  }
  SALLYPORT_TRY(UniqueFd fd, make_socket());
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return fail(system_error("socket-bind", path));
  }
  if (::chmod(path.c_str(), mode) != 0) return fail(system_error("socket-mode", path));
  if (::listen(fd.get(), 16) != 0) return fail(system_error("socket-listen", path));
  return fd;
}

Result<UniqueFd> connect_to(const std::string& path) {
  SALLYPORT_TRY(const sockaddr_un address, address_of(path));
  SALLYPORT_TRY(UniqueFd fd, make_socket());
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    Error error = system_error("socket-connect", path);
    error.kind = ErrorKind::kUnavailable;
    return fail(std::move(error));
  }
  return fd;
}

Result<std::optional<UniqueFd>> accept_from(int listener) {
  while (true) {
    UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) return std::optional<UniqueFd>(std::move(fd));
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::optional<UniqueFd>();
    return fail(system_error("socket-accept", "accept4"));
  }
}

Result<Peer> peer_of(int socket) {
  ucred credentials = {};
  socklen_t size = sizeof(credentials);
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0 ||
      size != sizeof(credentials)) {
    return fail(system_error("socket-peer", "SO_PEERCRED"));
  }
  return Peer{credentials.pid, credentials.uid, credentials.gid};
}

Result<std::pair<UniqueFd, UniqueFd>> socket_pair() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(system_error("socket-create", "socketpair"));
  }
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Result<void> send_datagram(int socket, ConstBytes bytes, std::span<const int> descriptors) {
  if (bytes.empty() || bytes.size() > kMaxMessageSize || descriptors.size() > kMaxDescriptors) {
    return fail(ErrorKind::kUsage, "datagram-too-large", fmt::format("{} bytes", bytes.size()));
  }
  iovec data = {const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors.size());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors.size());
    std::memcpy(CMSG_DATA(header), descriptors.data(), sizeof(int) * descriptors.size());
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    if (errno == EINTR) continue;
    Error error = system_error("socket-closed", "sendmsg");
    if (errno == EAGAIN || errno == EWOULDBLOCK) error.code = "socket-busy";
    error.kind = ErrorKind::kUnavailable;
    return fail(std::move(error));
  }
  return {};
}

Result<std::optional<Datagram>> receive_datagram(int socket, std::size_t max_size,
                                                 std::size_t max_descriptors) {
  Datagram out;
  out.bytes.resize(max_size);
  iovec data = {out.bytes.data(), out.bytes.size()};
  // Room for more than anybody may send, so that too many arrive and can be closed rather than be
  // cut by the kernel.
  alignas(cmsghdr) std::array<std::uint8_t, CMSG_SPACE(sizeof(int) * 253)> control{};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = -1;
  do {
    size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (size < 0 && errno == EINTR);
  if (size < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return std::optional<Datagram>();
    Error error = system_error("socket-closed", "recvmsg");
    error.kind = ErrorKind::kUnavailable;
    return fail(std::move(error));
  }
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(int));
      out.descriptors.emplace_back(fd);
    }
  }
  if (size == 0)
    return fail(ErrorKind::kUnavailable, "socket-closed", "the peer closed the connection");
  if ((message.msg_flags & MSG_TRUNC) != 0) {
    return fail(ErrorKind::kInvalid, "datagram-too-large",
                fmt::format("more than {} bytes", max_size));
  }
  if ((message.msg_flags & MSG_CTRUNC) != 0 || out.descriptors.size() > max_descriptors) {
    return fail(ErrorKind::kInvalid, "too-many-descriptors",
                fmt::format("more than {}", max_descriptors));
  }
  out.bytes.resize(static_cast<std::size_t>(size));
  return std::optional<Datagram>(std::move(out));
}

bool wait_readable(int fd, std::chrono::milliseconds wait) { return wait_for(fd, POLLIN, wait); }
bool wait_writable(int fd, std::chrono::milliseconds wait) { return wait_for(fd, POLLOUT, wait); }

}  // namespace sallyport::os
