#include <fmt/format.h>
#include <wolfssl/options.h>
// The options come before every other header of the library.
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "tls-termination/wolfssl/certificate.h"
#include "tls-termination/wolfssl/library_text.h"
#include "tls-termination/wolfssl/socket_io.h"
#include "tls-termination/wolfssl/tls.h"
#include "tls-termination/wolfssl/tls_policy.h"

namespace sallyport::terminator {
namespace {

struct FreeSsl {
  void operator()(WOLFSSL* ssl) const noexcept { wolfSSL_free(ssl); }
};
using SslPtr = std::unique_ptr<WOLFSSL, FreeSsl>;
static_assert(sizeof(SslPtr) == sizeof(void*));

std::string peer_subject(WOLFSSL* ssl) {
  WOLFSSL_X509* x509 = wolfSSL_get_peer_certificate(ssl);
  if (x509 == nullptr) return {};
  std::array<char, 512> text{};
  WOLFSSL_X509_NAME* name = wolfSSL_X509_get_subject_name(x509);
  if (name != nullptr) wolfSSL_X509_NAME_oneline(name, text.data(), static_cast<int>(text.size()));
  wolfSSL_X509_free(x509);
  return text.data();
}

bool about_certificates(int code) {
  switch (code) {
    case NO_PEER_CERT:
    case DOMAIN_NAME_MISMATCH:
    case VERIFY_CERT_ERROR:
    case CRL_CERT_REVOKED:
    case CRL_MISSING:
    case ASN_NO_SIGNER_E:
    case ASN_AFTER_DATE_E:
    case ASN_BEFORE_DATE_E:
    case ASN_SIG_CONFIRM_E:
    case ASN_PATHLEN_INV_E:
    case EXTKEYUSE_AUTH_E:
    case KEYUSE_SIGNATURE_E:
    case RSA_KEY_SIZE_E:
    case ECC_KEY_SIZE_E:
    case MAX_CHAIN_ERROR:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct Session::State {
  SocketIo io;
  SslPtr ssl;
  std::shared_ptr<const Certificate> leaf;
  bool server = false;
  bool established = false;
  bool broken = false;
  bool close_sent = false;
  SessionFacts facts;
  Error failure{ErrorKind::kInternal, "tls-none", "nothing has failed"};

  Io outcome(int code, const char* while_doing);
  void learn();
};

// Turns the library's last code into an outcome; everything that is not "again" is the end.
Io Session::State::outcome(int code, const char* while_doing) {
  const int error = wolfSSL_get_error(ssl.get(), code);
  if (error == WOLFSSL_ERROR_WANT_READ) return Io::kWantRead;
  if (error == WOLFSSL_ERROR_WANT_WRITE) return Io::kWantWrite;
  broken = true;
  if (established && error == WOLFSSL_ERROR_ZERO_RETURN) {
    broken = false;
    return Io::kClosed;
  }
  if (!io.flood.empty()) {
    failure = {ErrorKind::kRefused, "tls-flood", io.flood};
  } else if (io.refused) {
    failure = {ErrorKind::kRefused, "tls-policy", io.watch.fault()};
  } else if (io.error != 0) {
    failure = {ErrorKind::kUnavailable, "tls-connection",
               fmt::format("{}: {}", while_doing, std::strerror(io.error))};
  } else if (io.peer_ended) {
    failure = {ErrorKind::kUnavailable, "tls-truncated",
               fmt::format("{}: the peer ended the connection without saying so", while_doing)};
  } else {
    failure = {ErrorKind::kRefused,
               about_certificates(error) ? "tls-peer-certificate" : "tls-failed",
               fmt::format("{}: {}", while_doing, library_text(error))};
  }
  WOLFSSL_ALERT_HISTORY alerts;
  if (wolfSSL_get_alert_history(ssl.get(), &alerts) == WOLFSSL_SUCCESS && alerts.last_rx.code >= 0)
    failure.context += fmt::format(" (the peer's alert: {})", alerts.last_rx.code);
  return Io::kFailed;
}

void Session::State::learn() {
  established = true;
  io.established = true;
  io.without_data = 0;
  io.watch.finish();
  facts.version = wolfSSL_get_version(ssl.get());
  const char* suite = wolfSSL_get_cipher(ssl.get());
  if (suite != nullptr) facts.suite = suite;
  const char* group = wolfSSL_get_curve_name(ssl.get());
  if (group != nullptr) facts.group = group;
  facts.peer = peer_subject(ssl.get());
}

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::start(const Context& context, int socket) {
  auto state = std::make_unique<State>();
  state->server = context.is_server();
  state->io.socket = socket;
  state->ssl.reset(wolfSSL_new(context.raw()));
  if (!state->ssl) return fail(ErrorKind::kSystem, "tls-session", "no memory for a TLS session");
  attach_socket_io(state->ssl.get(), state->io);
  if (state->server) {
    state->leaf = context.leaf_;
    state->io.watch = HandshakeWatch(
        [leaf = context.leaf_](std::string_view name) { return leaf->is_for(name); });
    return Session(std::move(state));
  }
  const std::string& name = context.server_name();
  if (wolfSSL_UseSNI(state->ssl.get(), WOLFSSL_SNI_HOST_NAME, name.data(),
                     static_cast<unsigned short>(name.size())) != WOLFSSL_SUCCESS ||
      wolfSSL_check_domain_name(state->ssl.get(), name.c_str()) != WOLFSSL_SUCCESS)
    return fail(ErrorKind::kSystem, "tls-session", "the server's name cannot be set");
  return Session(std::move(state));
}

Io Session::handshake() {
  State& s = *state_;
  if (s.established) return Io::kOk;
  if (s.broken) return Io::kFailed;
  const int code = wolfSSL_negotiate(s.ssl.get());
  if (code == WOLFSSL_SUCCESS) {
    s.learn();
    return Io::kOk;
  }
  return s.outcome(code, "handshake");
}

bool Session::established() const { return state_->established; }

IoResult Session::read(MutableBytes into) {
  State& s = *state_;
  if (!s.established || s.broken) return {Io::kFailed, 0};
  const int code = wolfSSL_read(s.ssl.get(), into.data(), static_cast<int>(into.size()));
  if (code <= 0) return {s.outcome(code, "reading"), 0};
  s.io.without_data = 0;
  return {Io::kOk, static_cast<std::size_t>(code)};
}

IoResult Session::write(ConstBytes bytes) {
  State& s = *state_;
  if (!s.established || s.broken || s.io.writing_ended) return {Io::kFailed, 0};
  if (const Io io = flush(); io != Io::kOk) return {io, 0};
  const std::size_t size = std::min(bytes.size(), kMostWritten);
  const int code = wolfSSL_write(s.ssl.get(), bytes.data(), static_cast<int>(size));
  if (code > 0) return {Io::kOk, static_cast<std::size_t>(code)};
  return {s.outcome(code, "writing"), 0};
}

Io Session::close_write() {
  State& s = *state_;
  if (!s.established || s.broken) return Io::kFailed;
  if (!s.close_sent) {
    const int code = wolfSSL_shutdown(s.ssl.get());
    if (code != WOLFSSL_SUCCESS && code != WOLFSSL_SHUTDOWN_NOT_DONE)
      return s.outcome(code, "closing");
    s.close_sent = true;
  }
  const Io io = flush();
  if (io == Io::kOk) s.io.writing_ended = true;
  return io;
}

Io Session::flush() {
  State& s = *state_;
  if (s.broken) return Io::kFailed;
  if (s.io.flush()) return Io::kOk;
  if (s.io.error == 0) return Io::kWantWrite;
  return s.outcome(0, "writing");
}

bool Session::pending() const { return !state_->io.unsent.empty(); }

const SessionFacts& Session::facts() const { return state_->facts; }
const Error& Session::failure() const { return state_->failure; }

}  // namespace sallyport::terminator
