// The library's only way to the network: callbacks over a non-blocking socket, with the handshake
// watch in between, and with bounds on what a peer may make us read and keep.
//
// Until the handshake's end the library waits for the socket itself. From then on it never does:
// what the socket does not take is kept here (at most kMostUnsent) and flushed before the next
// write. Rationale: the library forgets that a record of ours waits when it answers a KeyUpdate in
// between, and sends it twice; and it keeps any number of such answers for a peer that does not
// read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tls-termination/wolfssl/handshake_watch.h"

struct WOLFSSL;
struct WOLFSSL_CTX;

namespace sallyport::terminator {

// One write makes one record of at most this much plaintext (RFC 8446 §5.1).
inline constexpr std::size_t kMostWritten = 16 * 1024;
// That record, and answers that the protocol wants, for a peer that does not read at the moment.
inline constexpr std::size_t kMostUnsent = kMostWritten + 2 * 1024;
// A peer whose records hold no data (keys, alerts, nothing) for so long has none to send. More than
// one record, which counts until it is whole; so little that others do not notice.
inline constexpr std::size_t kMostWithoutData = 24 * 1024;
// All that a peer may send before the handshake's end; chains of vetted depth need a tenth of it.
inline constexpr std::size_t kMostHandshake = 128 * 1024;

struct SocketIo {
  int socket = -1;
  HandshakeWatch watch;
  bool established = false;
  bool writing_ended = false;  // nothing goes out any more, whatever the library wants to say
  std::size_t without_data = 0;
  std::vector<std::uint8_t> unsent;
  int error = 0;            // errno of the last failing call
  bool peer_ended = false;  // FIN, in order or not
  bool refused = false;     // by the watch or by a bound
  std::string flood;        // which bound

  // Sends what waits; false if the socket takes no more or failed (then `error` is set).
  bool flush();
};

void attach_socket_io(WOLFSSL_CTX* ctx);
void attach_socket_io(WOLFSSL* ssl, SocketIo& io);

}  // namespace sallyport::terminator
