#include "tests/unit/terminator/openssl_peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <csignal>

#include "policy/base/check.h"
#include "tests/unit/terminator/pki.h"

namespace sallyport::terminator::testing {
namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};

}  // namespace

struct OpensslPeer::State {
  os::UniqueFd socket;
  std::unique_ptr<SSL_CTX, Freed<&SSL_CTX_free>> context;
  std::unique_ptr<SSL, Freed<&SSL_free>> session;
  bool ended = false;
  bool broken = false;
  bool renegotiating = false;

  bool done(int code) {
    if (code > 0) return true;
    const int error = SSL_get_error(session.get(), code);
    ERR_clear_error();
    if (error == SSL_ERROR_ZERO_RETURN) {
      ended = true;
    } else if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
      broken = true;
    }
    return false;
  }
};

OpensslPeer::OpensslPeer(os::UniqueFd socket, const Options& options)
    : state_(std::make_unique<State>()) {
  State& s = *state_;
  std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes with write(2)
  s.socket = std::move(socket);
  s.context.reset(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* context = s.context.get();
  SALLYPORT_CHECK(context != nullptr);
  const int version = options.tls12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  SALLYPORT_CHECK(SSL_CTX_set_min_proto_version(context, version) == 1);
  SALLYPORT_CHECK(SSL_CTX_set_max_proto_version(context, version) == 1);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_security_level(context, 0);  // what is refused is refused by the other side
  const std::string folder = pki_folder() + "/";
  SALLYPORT_CHECK(SSL_CTX_load_verify_file(context, (folder + options.trusts).c_str()) == 1);
  if (!options.chain.empty()) {
    SALLYPORT_CHECK(SSL_CTX_use_certificate_chain_file(context, (folder + options.chain).c_str()) ==
                    1);
    SALLYPORT_CHECK(SSL_CTX_use_PrivateKey_file(context, (folder + options.key).c_str(),
                                                SSL_FILETYPE_PEM) == 1);
  }
  s.session.reset(SSL_new(context));
  SSL* session = s.session.get();
  SALLYPORT_CHECK(session != nullptr);
  SALLYPORT_CHECK(SSL_set1_host(session, options.name.c_str()) == 1);
  SALLYPORT_CHECK(SSL_set_fd(session, s.socket.get()) == 1);
  SSL_set_connect_state(session);
}

OpensslPeer::OpensslPeer(OpensslPeer&&) noexcept = default;
OpensslPeer::~OpensslPeer() = default;

bool OpensslPeer::handshake() { return state_->done(SSL_do_handshake(state_->session.get())); }

bool OpensslPeer::write(std::string_view text) {
  return state_->done(SSL_write(state_->session.get(), text.data(), static_cast<int>(text.size())));
}

bool OpensslPeer::update_keys() {
  SSL* session = state_->session.get();
  // Refused while an earlier one is still on its way out.
  if (SSL_key_update(session, SSL_KEY_UPDATE_REQUESTED) != 1) ERR_clear_error();
  return state_->done(SSL_do_handshake(session));
}

bool OpensslPeer::renegotiate() {
  SSL* session = state_->session.get();
  if (!std::exchange(state_->renegotiating, true)) SALLYPORT_CHECK(SSL_renegotiate(session) == 1);
  return state_->done(SSL_do_handshake(session)) && SSL_renegotiate_pending(session) == 0;
}

bool OpensslPeer::end() {
  if (SSL_shutdown(state_->session.get()) < 0) return false;
  return ::shutdown(state_->socket.get(), SHUT_WR) == 0;
}

bool OpensslPeer::raw(std::string_view bytes) const {
  return ::send(state_->socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
         static_cast<ssize_t>(bytes.size());
}

std::string OpensslPeer::read() {
  std::string out;
  std::array<char, 16384> buffer{};
  int got = 0;
  while ((got = SSL_read(state_->session.get(), buffer.data(), static_cast<int>(buffer.size()))) >
         0)
    out.append(buffer.data(), static_cast<std::size_t>(got));
  static_cast<void>(state_->done(got));
  return out;
}

bool OpensslPeer::ended() const { return state_->ended; }
bool OpensslPeer::broken() const { return state_->broken; }

}  // namespace sallyport::terminator::testing
