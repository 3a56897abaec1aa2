// Unix seqpacket sockets between Sallyport's processes: one datagram is one message, descriptors
// travel with it, and the kernel says who the peer is. Every received length and descriptor count
// is checked; a datagram that was cut, or that carried more descriptors than asked for, is refused
// whole and its descriptors are closed.
//
// Sockets are non-blocking and close-on-exec; wait_readable/wait_writable give deadlines. One
// thread per socket.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "policy/base/bytes.h"
#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::os {

inline constexpr std::size_t kMaxMessageSize = 64 * 1024;
inline constexpr std::size_t kMaxDescriptors = 16;

// Who is at the other end, by the kernel's word (SO_PEERCRED).
struct Peer {
  pid_t pid = 0;
  uid_t uid = 0;
  gid_t gid = 0;
};

struct Datagram {
  Datagram() = default;
  Datagram(Datagram&&) noexcept = default;
  Datagram& operator=(Datagram&&) noexcept = default;
  std::vector<std::uint8_t> bytes;
  std::vector<UniqueFd> descriptors;
};

// Listens at `path`; an old socket file there is replaced (a file that is no socket is refused).
// `mode` is the socket file's access; the real check is SO_PEERCRED.
Result<UniqueFd> listen_at(const std::string& path, mode_t mode);
// kUnavailable "socket-connect" when nobody listens there yet.
Result<UniqueFd> connect_to(const std::string& path);
// Nothing when no client waits.
Result<std::optional<UniqueFd>> accept_from(int listener);
Result<Peer> peer_of(int socket);
// Both ends, for tests and for handing one to a child.
Result<std::pair<UniqueFd, UniqueFd>> socket_pair();

// kUnavailable "socket-busy" when the peer does not read (nothing was sent), "socket-closed" when
// it is gone.
Result<void> send_datagram(int socket, ConstBytes bytes, std::span<const int> descriptors = {});

// Nothing when no datagram waits. kUnavailable "socket-closed" at end of file; kInvalid
// "datagram-too-large" or "too-many-descriptors".
Result<std::optional<Datagram>> receive_datagram(int socket, std::size_t max_size = kMaxMessageSize,
                                                 std::size_t max_descriptors = kMaxDescriptors);

// False when the wait ended first.
bool wait_readable(int fd, std::chrono::milliseconds wait);
bool wait_writable(int fd, std::chrono::milliseconds wait);

}  // namespace sallyport::os
