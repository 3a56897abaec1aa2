// A terminator in a network namespace of its own, with every address of the sample plant on
// loopback: sockets are real, threads are real, the wires are not. The front's loop is run by the
// test (`until`), which checks after each round that no handshake credit was lost or made up; each
// engine checks its own.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/compile/compile.h"
#include "policy/model/model.h"
#include "tests/support/netns.h"
#include "tests/unit/terminator/pki.h"
#include "tls-termination/session/terminator.h"

namespace sallyport::terminator::testing {

// Sockets of the namespace that the test is in, as setup would make them.
class LocalSockets : public SocketSource {
 public:
  void open(const std::string& segment, IpVersion version, SocketKind kind, Done done) override;
  std::string broken_segment;  // asked for a socket there, setup fails
  std::string mute_segment;    // asked for a socket there, setup says nothing
  std::vector<Done> unanswered;
};

class MemoryJournal : public Journal {
 public:
  void event(std::string_view kind, const std::string& json) override {
    events.emplace_back(kind, json);
  }
  bool has(std::string_view kind, std::string_view text = {}) const;
  std::vector<std::pair<std::string, std::string>> events;
};

// Enters the namespace on first use; the calling thread stays in it.
void enter_plant();

struct RigOptions {
  Timeouts timeouts = {};
  unsigned engines = 2;
  std::size_t places = 4096;
};

class Rig {
 public:
  explicit Rig(const RigOptions& options = {});

  // Compiles and prepares; the outcome of prepare.
  Result<void> prepare(const model::Gateway& gateway);
  // And commits; aborts the test when refused.
  void apply(const model::Gateway& gateway);
  Result<void> commit();
  Result<void> abort();

  // Runs the loop until the condition holds; false at the deadline.
  bool until(const std::function<bool()>& condition,
             std::chrono::milliseconds longest = std::chrono::seconds(10));
  void rounds(int count);
  // How often the loops of the front and of all engines have gone round.
  std::uint64_t rounds_done();

  // Where a conduit listens for IPv4 or IPv6.
  ListenAddress listener(const std::string& conduit, IpVersion version = IpVersion::k4) const;
  AdmissionCounts counts(const std::string& conduit) const;
  // Waits for it.
  bool failed_with(std::string_view code);
  // Waits until that many handshakes of the conduit came to this end.
  bool established(const std::string& conduit, std::uint64_t count);
  bool failed(const std::string& conduit, std::uint64_t count);
  bool timed_out(const std::string& conduit, std::uint64_t count);
  // What the daemon would answer.
  nlohmann::json sessions();
  nlohmann::json status() const;

  std::string keys;  // its key folder: a copy of the test PKI
  Loop loop;
  LocalSockets sockets;
  MemoryJournal journal;
  std::unique_ptr<Terminator> terminator;
  ~Rig();
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;

 private:
  void check_credits() const;
  std::uint64_t revision_ = 0;
  compile::Slots slots_;  // a conduit keeps its listener port
  std::vector<std::string> conduits_;
  std::vector<ConduitPlan> plans_;
};

// Plain non-blocking endpoints.
os::UniqueFd listen_on(const std::string& address, std::uint16_t port);
os::UniqueFd connect_to(const IpAddress& address, std::uint16_t port);
std::optional<os::UniqueFd> accept_on(const os::UniqueFd& listener);
ConstBytes bytes(std::string_view text);

// A peer of the gateway: a leg whose steps are taken while the rig's loop runs.
class Peer {
 public:
  Peer(Rig& rig, os::UniqueFd socket) : rig_(&rig), leg_(std::move(socket)) {}
  // Puts TLS on it and completes the handshake; false if it fails.
  bool secure(const Context& context);
  // Everything that arrives until `wanted` bytes are there or it ends.
  std::string read(std::size_t wanted);
  // What is there now, at most `most` bytes.
  std::string take(std::size_t most);
  // How the last read ended.
  Io last() const { return last_; }
  bool write(std::string_view text);
  // True once the peer has ended its stream in order.
  bool sees_end();
  // True once the connection is gone without an orderly end.
  bool sees_cut();
  Leg& leg() { return leg_; }

 private:
  Rig* rig_;
  Leg leg_;
  Io last_ = Io::kWantRead;
};

Context client_context(const std::string& name, const std::string& ca, const std::string& own = {});
Context server_context(const std::string& certificate);

}  // namespace sallyport::terminator::testing
