// A TLS client on another implementation (OpenSSL), which also does what ours refuses to do: asks
// for new keys without end, renegotiates, shows any chain, writes below its own TLS.
//
// Non-blocking, over a socket that it owns; nothing is retried by itself. Peers may be moved.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "policy/os/fd.h"

namespace sallyport::terminator::testing {

class OpensslPeer {
 public:
  struct Options {
    bool tls12 = false;
    std::string name = "gw.example";
    std::string trusts = "plant-ca.ca";  // files of the test PKI
    std::string chain = {};              // leaf first; empty: shows none
    std::string key = {};
  };
  // Aborts the test program when the library refuses.
  OpensslPeer(os::UniqueFd socket, const Options& options);
  OpensslPeer(OpensslPeer&&) noexcept;
  OpensslPeer(const OpensslPeer&) = delete;
  OpensslPeer& operator=(const OpensslPeer&) = delete;
  OpensslPeer& operator=(OpensslPeer&&) = delete;
  ~OpensslPeer();

  // Each takes one step and says whether it is done.
  bool handshake();
  bool write(std::string_view text);
  // A KeyUpdate that asks for one in return.
  bool update_keys();
  // TLS 1.2: asks for a new handshake; false forever if the other side does not take part.
  bool renegotiate();
  // close_notify and FIN; reading goes on.
  bool end();
  // Bytes on the socket, beside TLS.
  bool raw(std::string_view bytes) const;

  // What is there now.
  std::string read();
  // How it ended, after read(): in order, or broken.
  bool ended() const;
  bool broken() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sallyport::terminator::testing
