// The library's only way to the network: callbacks over a non-blocking socket, with the handshake
// watch in between.
#pragma once

#include <cstdint>

#include "tls-termination/wolfssl/handshake_watch.h"

struct WOLFSSL;
struct WOLFSSL_CTX;

namespace sallyport::terminator {

struct SocketIo {
  int socket = -1;
  HandshakeWatch watch;
  int error = 0;            // errno of the last failing call
  bool peer_ended = false;  // FIN, in order or not
  bool refused = false;     // by the watch
};

void attach_socket_io(WOLFSSL_CTX* ctx);
void attach_socket_io(WOLFSSL* ssl, SocketIo& io);

}  // namespace sallyport::terminator
