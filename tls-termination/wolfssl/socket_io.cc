#include "tls-termination/wolfssl/socket_io.h"

#include <sys/socket.h>
#include <wolfssl/options.h>
// The options come before every other header of the library.
#include <wolfssl/ssl.h>
#include <wolfssl/wolfio.h>

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

int flooded(SocketIo& io, const char* how) {
  io.flood = how;
  return refused(io);
}

bool would_block(int error) { return error == EAGAIN || error == EWOULDBLOCK; }

int receive(WOLFSSL* /*ssl*/, char* into, int size, void* context) {
  auto& io = *static_cast<SocketIo*>(context);
  if (io.refused) return WOLFSSL_CBIO_ERR_GENERAL;
  if (io.without_data > (io.established ? kMostWithoutData : kMostHandshake))
    return flooded(io, io.established ? "records without data, and no end of them"
                                      : "a handshake without an end");
  ssize_t got = 0;
  do {
    got = ::recv(io.socket, into, static_cast<std::size_t>(size), 0);
  } while (got < 0 && errno == EINTR);
  if (got == 0) {
    io.peer_ended = true;
    return WOLFSSL_CBIO_ERR_CONN_CLOSE;
  }
  if (got < 0) return would_block(errno) ? WOLFSSL_CBIO_ERR_WANT_READ : failed_with(io, errno);
  const auto read = static_cast<std::size_t>(got);
  io.without_data += read;
  const ConstBytes bytes(reinterpret_cast<const std::uint8_t*>(into), read);
  return io.watch.received(bytes) ? static_cast<int>(got) : refused(io);
}

// As send(2), but for interruptions.
ssize_t put(int socket, ConstBytes bytes) {
  ssize_t sent = 0;
  do {
    sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  return sent;
}

// While the handshake goes on; the library offers again what did not go out.
int send_watched(SocketIo& io, ConstBytes bytes) {
  const HandshakeWatch::Verdict verdict = io.watch.sending(bytes);
  if (!io.watch.fault().empty() && verdict.swallow == 0) return refused(io);
  const ConstBytes out = verdict.swallow > 0 ? verdict.instead : bytes.first(verdict.pass);
  if (out.empty()) return static_cast<int>(verdict.swallow);
  const ssize_t sent = put(io.socket, out);
  // An alert is sent once, best effort: nobody waits for it.
  if (verdict.swallow > 0) return static_cast<int>(verdict.swallow);
  if (sent < 0) return would_block(errno) ? WOLFSSL_CBIO_ERR_WANT_WRITE : failed_with(io, errno);
  io.watch.sent(static_cast<std::size_t>(sent));
  return static_cast<int>(sent);
}

int send(WOLFSSL* /*ssl*/, char* from, int size, void* context) {
  auto& io = *static_cast<SocketIo*>(context);
  ConstBytes bytes(reinterpret_cast<const std::uint8_t*>(from), static_cast<std::size_t>(size));
  if (!io.established) return send_watched(io, bytes);
  if (io.writing_ended) return size;
  if (io.unsent.empty()) {
    const ssize_t sent = put(io.socket, bytes);
    if (sent < 0 && !would_block(errno)) return failed_with(io, errno);
    if (sent > 0) bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  if (io.unsent.size() + bytes.size() > kMostUnsent)
    return flooded(io, "it wants answers and reads none");
  io.unsent.insert(io.unsent.end(), bytes.begin(), bytes.end());
  return size;
}

}  // namespace

bool SocketIo::flush() {
  if (unsent.empty()) return true;
  const ssize_t sent = put(socket, unsent);
  if (sent < 0) {
    if (!would_block(errno)) error = errno;
    return false;
  }
  unsent.erase(unsent.begin(), unsent.begin() + sent);
  return unsent.empty();
}

void attach_socket_io(WOLFSSL_CTX* ctx) {
  wolfSSL_CTX_SetIORecv(ctx, receive);
  wolfSSL_CTX_SetIOSend(ctx, send);
}

void attach_socket_io(WOLFSSL* ssl, SocketIo& io) {
  wolfSSL_SetIOReadCtx(ssl, &io);
  wolfSSL_SetIOWriteCtx(ssl, &io);
}

}  // namespace sallyport::terminator
