// Reads the plaintext part of a TLS handshake as it passes, both ways, and refuses what the library
// cannot be told to refuse: TLS 1.2 without extended_master_secret (RFC 7627), signature schemes
// outside `strict` in ServerKeyExchange and CertificateVerify of TLS 1.2 (RFC 8446 §4.2.3), a
// server_name that is not ours, a hello above kMaxHelloSize, any other message above
// kMaxMessageSize. It also silences alerts: what failed is logged here and the peer learns only
// that it failed.
//
// Trust: every byte is hostile. Bounded: at most kMaxHelloSize bytes are kept, nothing is kept once
// the handshake is encrypted in that direction. Not thread-safe; no I/O, no library.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/bytes.h"

namespace sallyport::terminator {

inline constexpr std::size_t kMaxHelloSize = 16 * 1024;
// Of any handshake message in the clear: nobody waits for the rest of one that says it is larger.
inline constexpr std::size_t kMaxMessageSize = 64 * 1024;

// What a ClientHello says that policy or a log line needs.
struct ClientHello {
  std::uint16_t legacy_version = 0;
  bool offers_tls13 = false;
  bool extended_master_secret = false;
  std::string server_name;  // empty if absent
};

// Of a handshake message's body (without its 4-byte header); nothing if malformed.
std::optional<ClientHello> parse_client_hello(ConstBytes body);

struct ServerHello {
  bool tls13 = false;
  bool extended_master_secret = false;
};
std::optional<ServerHello> parse_server_hello(ConstBytes body);

// The signature scheme of a TLS 1.2 ServerKeyExchange with a named curve.
std::optional<std::uint16_t> server_key_exchange_scheme(ConstBytes body);

class HandshakeWatch {
 public:
  // Judges a server_name that a client asks for; only called at a listener.
  using NameJudge = std::function<bool(std::string_view)>;
  explicit HandshakeWatch(NameJudge judge = {}) : judge_(std::move(judge)) {}

  // Bytes from the peer, before the library sees them. False: refused; fault() says why.
  bool received(ConstBytes bytes);

  // Bytes that the library wants to send. `pass` bytes of them may go to the peer as they are;
  // after those, `swallow` bytes are to be taken as sent but replaced by `instead` (an alert, or
  // nothing). A refusal is in fault().
  struct Verdict {
    std::size_t pass = 0;
    std::size_t swallow = 0;
    ConstBytes instead;
  };
  Verdict sending(ConstBytes bytes);
  // How many of `pass` really went out; the rest must be offered again.
  void sent(std::size_t size);

  // The handshake is over: alerts pass from now on, nothing is looked at any more.
  void finish();

  const std::string& fault() const { return fault_; }
  const ClientHello& client_hello() const { return hello_; }

 private:
  // One direction's progress through records and handshake messages.
  struct Direction {
    std::array<std::uint8_t, 5> header{};
    std::size_t header_size = 0;
    std::size_t record_left = 0;
    bool blind = false;  // TLS 1.2: encrypted from here on
    std::vector<std::uint8_t> message;
    std::size_t message_left = 0;
    bool in_message = false;
  };
  bool follow(Direction& direction, ConstBytes bytes);
  bool begin_record(Direction& direction);
  bool handshake_bytes(Direction& direction, ConstBytes bytes);
  bool judge(std::uint8_t type, ConstBytes body);
  bool refuse(std::string why);

  NameJudge judge_;
  Direction in_;
  Direction out_;
  bool finished_ = false;
  bool sent_encrypted_ = false;
  bool agreed_ = false;  // a ServerHello has passed
  bool tls13_ = false;
  std::size_t ahead_ = 0;  // judged, not yet sent
  std::array<std::uint8_t, 7> alert_{};
  std::string fault_;
  ClientHello hello_;
};

}  // namespace sallyport::terminator
