// One client's way through a conduit: leg A accepted, its TLS handshake (inbound), leg B found,
// connected, its TLS handshake (outbound), bytes relayed, the end. A full state table; every wait
// has a deadline; until the relay starts not one byte of plaintext is read from either side.
//
// Owned by the engine through shared_ptr; what is asked of setup and the resolver holds it weakly.
// One thread, its engine's. The engine is told of the end exactly once (ConversationHost::ended)
// and may then let go.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>

#include "policy/base/net.h"
#include "policy/base/units.h"
#include "tls-termination/relay/loop.h"
#include "tls-termination/relay/relay.h"
#include "tls-termination/resolve/resolver.h"
#include "tls-termination/session/credits.h"
#include "tls-termination/session/plan.h"
#include "tls-termination/session/sockets.h"

namespace sallyport::terminator {

struct Timeouts {
  // From accept until bytes flow, all steps together. The dataplane reclaims a grant 5 s later.
  Duration handshake = std::chrono::seconds(10);
  // For each address of the server.
  Duration connect = std::chrono::seconds(4);
  // Once one side has said that it is done, nothing may stand still for longer than this.
  Duration half_closed = std::chrono::seconds(120);
  // And else for longer than this, unless the conduit says otherwise.
  Duration idle = std::chrono::hours(1);
};

// What sessions of one conduit share. A reload makes a new one; sessions keep theirs.
struct Terms {
  ConduitPlan plan;
  std::optional<Context> listener;
  std::optional<Context> server;
  ModbusRules modbus;
};

enum class Phase : std::uint8_t {
  kHandshakeA,
  kResolve,
  kSocketB,
  kConnectB,
  kHandshakeB,
  kRelay,
  kEnded,
};
inline constexpr std::size_t kPhases = 7;
std::string_view to_string(Phase phase);

class Conversation;

// What a conversation needs of its engine.
class ConversationHost {
 public:
  virtual ~ConversationHost() = default;
  virtual Loop& loop() = 0;
  virtual SocketSource& sockets() = 0;
  virtual Resolver& resolver(const ConduitPlan& plan) = 0;
  virtual const Timeouts& timeouts() const = 0;
  // `error` is nothing when both directions ended in order. The conversation is still alive.
  virtual void ended(Conversation& conversation, const std::optional<Error>& error) = 0;
  virtual void refused_requests(Conversation& conversation,
                                const std::vector<RefusedRequest>& requests) = 0;
};

class Conversation : public std::enable_shared_from_this<Conversation>,
                     private Watcher,
                     private TimerTarget {
 public:
  struct Client {
    IpAddress address;
    std::uint16_t port = 0;
  };
  // `began`: when it was accepted; its deadline counts from there.
  Conversation(ConversationHost& host, std::shared_ptr<const Terms> terms, os::UniqueFd accepted,
               Client client, Credit credit, Instant began);
  ~Conversation() override;
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  // Takes the first step. Call once, after it is in a shared_ptr.
  void start();
  // Ends it at once, with RST on both legs: its conduit is gone.
  void cut(std::string why);

  // A later revision's word on how long it may be silent. If that is another one, the time begins
  // anew.
  void use(const Silences& silences);

  const Terms& terms() const { return *terms_; }
  const Client& client() const { return client_; }
  Phase phase() const { return phase_; }
  // Its handshake credit is still out.
  bool in_flight() const { return !credit_.settled(); }
  Account* account() const { return credit_.ticket().account; }
  Instant began() const { return began_; }
  std::uint64_t bytes_up() const { return relay_ ? relay_->bytes_up() : 0; }
  std::uint64_t bytes_down() const { return relay_ ? relay_->bytes_down() : 0; }
  std::size_t buffered() const { return relay_ ? relay_->buffered() : 0; }
  const SessionFacts& tls() const {
    return terms_->plan.tls_listener ? client_leg_.facts() : server_leg_.facts();
  }
  const std::optional<IpAddress>& server() const { return server_; }

 private:
  enum class Event : std::uint8_t { kClientReady, kServerReady, kAnswer, kDeadline };
  static constexpr std::size_t kEvents = 4;
  using Handler = void (Conversation::*)();
  static const std::array<std::array<Handler, kEvents>, kPhases> kTable;

  void on_ready(int fd, std::uint32_t events) override;
  void on_timer() override;
  void happen(Event event);

  // Cells of the table.
  void handshake_client();
  void answered();
  void connected();
  void handshake_server();
  void relay();
  void too_late();
  void next_address();
  void idle();
  void nothing();
  void impossible();

  void find_server();
  void open_server();
  void connect_server();
  void begin_relay();
  void wait_for(Leg& leg, Io io);
  void update_interest();
  Instant patience_ends() const;
  void wait_until(Instant when);
  void end(const std::optional<Error>& error, bool reset);

  ConversationHost& host_;
  std::shared_ptr<const Terms> terms_;
  Silences silences_;  // the conduit's of today
  Client client_;
  Credit credit_;
  Instant began_;
  Phase phase_ = Phase::kHandshakeA;
  Leg client_leg_;
  Leg server_leg_;
  std::vector<IpAddress> candidates_;  // of the server, still to be tried
  std::optional<IpAddress> server_;
  Result<os::UniqueFd> socket_answer_;
  Result<std::vector<IpAddress>> address_answer_;
  std::unique_ptr<Relay> relay_;
  std::uint64_t moved_ = 0;
  bool half_closed_ = false;
  Instant last_moved_;
  Instant timer_;
};

}  // namespace sallyport::terminator
