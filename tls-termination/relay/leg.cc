#include "tls-termination/relay/leg.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace sallyport::terminator {

Io Leg::keep(Io io) {
  if (io == Io::kFailed && tls_) failure_ = tls_->failure();
  return io;
}

Io Leg::socket_failed(const char* doing) {
  if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return Io::kWantRead;
  failure_ = {ErrorKind::kUnavailable, "tcp-connection",
              fmt::format("{}: {}", doing, std::strerror(errno))};
  return Io::kFailed;
}

Result<void> Leg::secure(const Context& context) {
  SALLYPORT_TRY(Session session, Session::start(context, socket_.get()));
  tls_.emplace(std::move(session));
  return {};
}

Io Leg::handshake() { return tls_ ? keep(tls_->handshake()) : Io::kOk; }

IoResult Leg::read(MutableBytes into) {
  if (tls_) {
    const IoResult got = tls_->read(into);
    return {keep(got.io), got.size};
  }
  const ssize_t got = ::recv(socket_.get(), into.data(), into.size(), 0);
  if (got > 0) return {Io::kOk, static_cast<std::size_t>(got)};
  if (got == 0) return {Io::kClosed, 0};
  return {socket_failed("reading"), 0};
}

IoResult Leg::write(ConstBytes bytes) {
  if (tls_) {
    const IoResult put = tls_->write(bytes);
    return {keep(put.io), put.size};
  }
  const ssize_t put = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (put >= 0) return {Io::kOk, static_cast<std::size_t>(put)};
  const Io io = socket_failed("writing");
  return {io == Io::kWantRead ? Io::kWantWrite : io, 0};
}

Io Leg::close_write() {
  if (tls_) {
    const Io io = keep(tls_->close_write());
    if (io != Io::kOk) return io;
  }
  if (::shutdown(socket_.get(), SHUT_WR) != 0 && errno != ENOTCONN) return socket_failed("closing");
  return Io::kOk;
}

Io Leg::flush() { return tls_ ? keep(tls_->flush()) : Io::kOk; }

void Leg::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  if (socket_) ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  socket_.reset();
}

const SessionFacts& Leg::facts() const {
  static const SessionFacts kNone;
  return tls_ ? tls_->facts() : kNone;
}

}  // namespace sallyport::terminator
