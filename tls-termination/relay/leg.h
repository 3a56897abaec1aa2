// One leg of a conversation: a connected non-blocking TCP socket, plain or with TLS on it, behind
// the same five calls. The session sees no difference.
//
// Owns the socket; closing it is the end of the leg. One thread.
#pragma once

#include <optional>
#include <string>

#include "policy/os/fd.h"
#include "tls-termination/wolfssl/tls.h"

namespace sallyport::terminator {

class Leg {
 public:
  Leg() = default;
  explicit Leg(os::UniqueFd socket) : socket_(std::move(socket)) {}

  int fd() const { return socket_.get(); }
  bool open() const { return static_cast<bool>(socket_); }
  bool secured() const { return tls_.has_value(); }

  // Puts TLS on the socket; nothing is sent yet.
  Result<void> secure(const Context& context);
  Io handshake();

  IoResult read(MutableBytes into);
  IoResult write(ConstBytes bytes);
  // No more from us: close_notify, then FIN. Reading goes on.
  Io close_write();

  // Sends what TLS still has to send; `pending` if it waits for the socket.
  Io flush();
  bool pending() const { return tls_ && tls_->pending(); }

  // Ends the leg: in order, or with RST so that the peer sees that it was cut.
  void close() { socket_.reset(); }
  void reset();

  const SessionFacts& facts() const;
  const Error& failure() const { return failure_; }

 private:
  Io keep(Io io);
  Io socket_failed(const char* doing);
  os::UniqueFd socket_;
  std::optional<Session> tls_;
  Error failure_;
};

}  // namespace sallyport::terminator
