#include "tls-termination/wolfssl/socket_io.h"

#include <sys/socket.h>
#include <wolfssl/options.h>
// The options come before every other header of the library.
#include <wolfssl/ssl.h>
#include <wolfssl/wolfio.h>

#include <algorithm>
#include <cerrno>

namespace sallyport::terminator {
namespace {

int failed_with(SocketIo& io, int error) {
  io.error = error;
  return error == ECONNRESET || error == EPIPE ? WOLFSSL_CBIO_ERR_CONN_RST
                                               : WOLFSSL_CBIO_ERR_GENERAL;
}

int refused(SocketIo& io) {
  io.refused = true;
  return WOLFSSL_CBIO_ERR_GENERAL;
}

int receive(WOLFSSL*, char* into, int size, void* context) {
  auto& io = *static_cast<SocketIo*>(context);
  if (io.refused) return WOLFSSL_CBIO_ERR_GENERAL;
  ssize_t got = 0;
  do {
    got = ::recv(io.socket, into, static_cast<std::size_t>(size), 0);
  } while (got < 0 && errno == EINTR);
  if (got == 0) {
    io.peer_ended = true;
    return WOLFSSL_CBIO_ERR_CONN_CLOSE;
  }
  if (got < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return WOLFSSL_CBIO_ERR_WANT_READ;
    return failed_with(io, errno);
  }
  const ConstBytes bytes(reinterpret_cast<const std::uint8_t*>(into),
                         static_cast<std::size_t>(got));
  return io.watch.received(bytes) ? static_cast<int>(got) : refused(io);
}

int send(WOLFSSL*, char* from, int size, void* context) {
  auto& io = *static_cast<SocketIo*>(context);
  const ConstBytes bytes(reinterpret_cast<const std::uint8_t*>(from),
                         static_cast<std::size_t>(size));
  const HandshakeWatch::Verdict verdict = io.watch.sending(bytes);
  if (!io.watch.fault().empty() && verdict.swallow == 0) return refused(io);
  const ConstBytes out = verdict.swallow > 0 ? verdict.instead : bytes.first(verdict.pass);
  if (out.empty()) return static_cast<int>(verdict.swallow);
  ssize_t put = 0;
  do {
    put = ::send(io.socket, out.data(), out.size(), MSG_NOSIGNAL);
  } while (put < 0 && errno == EINTR);
  // An alert is sent once, best effort: nobody waits for it.
  if (verdict.swallow > 0) return static_cast<int>(verdict.swallow);
  if (put < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return WOLFSSL_CBIO_ERR_WANT_WRITE;
    return failed_with(io, errno);
  }
  io.watch.sent(static_cast<std::size_t>(put));
  return static_cast<int>(put);
}

}  // namespace

void attach_socket_io(WOLFSSL_CTX* ctx) {
  wolfSSL_CTX_SetIORecv(ctx, receive);
  wolfSSL_CTX_SetIOSend(ctx, send);
}

void attach_socket_io(WOLFSSL* ssl, SocketIo& io) {
  wolfSSL_SetIOReadCtx(ssl, &io);
  wolfSSL_SetIOWriteCtx(ssl, &io);
}

}  // namespace sallyport::terminator
