// The fence around wolfSSL: contexts (one per conduit and credential generation) and sessions over
// non-blocking sockets. Every return code becomes an Io or an Error that keeps the library's words.
// Nothing above this folder names the library.
//
// Threads: the library is started once (start_library) before threads; a Context is immutable after
// creation and may be shared; a Session belongs to one thread. A session keeps its own reference to
// its context, so a reload never disturbs it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/bytes.h"
#include "policy/base/result.h"
#include "tls-termination/wolfssl/handshake_watch.h"

struct WOLFSSL_CTX;
struct WOLFSSL;

namespace sallyport::terminator {

// Once per process. kSystem "tls-library" if it cannot start.
Result<void> start_library();

enum class ClientCertificate : std::uint8_t { kNone, kOptional, kRequired };

// PEM texts. `key` is read and not kept.
struct ServerSetup {
  ConstBytes chain;
  ConstBytes key;
  ClientCertificate client_certificate = ClientCertificate::kNone;
  ConstBytes client_ca;                // needed unless kNone
  std::vector<ConstBytes> client_crl;  // if any: each certificate of the chain is looked up
};
struct ClientSetup {
  std::string server_name;  // SNI, and the only name that the server's certificate may prove
  ConstBytes server_ca;
  std::vector<ConstBytes> server_crl;
  ConstBytes chain;  // our own certificate; empty for none
  ConstBytes key;
};

// A value: copies share the library's object by reference count.
class Context {
 public:
  // kInvalid "bad-certificate", "bad-key", "key-mismatch", "bad-ca", "bad-crl"; kSystem
  // "tls-context".
  static Result<Context> server(const ServerSetup& setup);
  static Result<Context> client(const ClientSetup& setup);

  WOLFSSL_CTX* raw() const { return ctx_.get(); }
  bool is_server() const { return server_; }
  const std::string& server_name() const { return server_name_; }

 private:
  std::shared_ptr<WOLFSSL_CTX> ctx_;
  bool server_ = false;
  std::string server_name_;
  std::shared_ptr<const class Certificate> leaf_;
  friend class Session;
};

enum class Io : std::uint8_t {
  kOk,         // done; IoResult::size bytes moved
  kWantRead,   // call again when the socket is readable
  kWantWrite,  // call again when the socket is writable
  kClosed,     // the peer ended its stream in order (close_notify, or FIN on a plain socket)
  kFailed,     // over; failure() says why. For the peer all failures look alike.
};
struct IoResult {
  Io io = Io::kFailed;
  std::size_t size = 0;
};

// What was negotiated; empty before the handshake's end.
struct SessionFacts {
  std::string version;
  std::string suite;
  std::string group;
  std::string peer;  // the certificate's subject, empty without one
};

class Session {
 public:
  // `socket` stays the caller's and must outlive the session. kSystem "tls-session".
  static Result<Session> start(const Context& context, int socket);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // One step: kOk once done.
  Io handshake();
  bool established() const;

  IoResult read(MutableBytes into);
  // Takes one record's worth at most, or nothing while an earlier one still waits (kWantWrite).
  IoResult write(ConstBytes bytes);
  // Sends close_notify; reading goes on (RFC 8446 §6.1). To be repeated until kOk.
  Io close_write();
  // Sends what the socket did not take: kOk when nothing waits any more. Reading may make something
  // wait, too.
  Io flush();
  bool pending() const;

  const SessionFacts& facts() const;
  // Of the last kFailed: code is stable ("tls-handshake", "tls-peer-certificate", ...), context has
  // everything that is known. For the log, never for the peer.
  const Error& failure() const;

 private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace sallyport::terminator
