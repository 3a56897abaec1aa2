// What one thread of the terminator does: conversations, from the accepted socket on. It has its
// own loop, its own resolvers and its own books, and shares with other engines nothing but
// immutable terms. The front (terminator.h) decides what it gets; it cannot refuse.
//
// Thread: everything here on the engine's own; EngineReports is called from there.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "tls-termination/session/conversation.h"
#include "tls-termination/session/credits.h"
#include "tls-termination/session/event_limit.h"

namespace sallyport::terminator {

// An admitted connection on its way to an engine. One that never gets there (the process ends) is
// given back by nobody: the dataplane reclaims its grant.
struct Arrival {
  os::UniqueFd socket;
  Conversation::Client client;
  std::shared_ptr<const Terms> terms;
  Ticket ticket;
  Instant accepted;
};

// A session that did not end in order.
struct SessionEnd {
  Account* account = nullptr;
  std::string conduit;
  Conversation::Client client;
  std::optional<IpAddress> server;
  std::uint16_t server_port = 0;
  std::string peer;
  Error error;
};

// Requests that policy kept from a device, since the last notice: how many, and the first of them
// unless so many were told lately that this one is only counted.
struct RefusedNotice {
  Account* account = nullptr;
  std::uint64_t count = 0;
  std::optional<RefusedRequest> first;
  std::string conduit;
  Conversation::Client client;
};

class EngineReports {
 public:
  virtual ~EngineReports() = default;
  virtual void handshake_settled(const Ticket& ticket, wire::HandoverOutcome outcome) = 0;
  virtual void conversation_left(const Ticket& ticket) = 0;
  virtual void session_ended(SessionEnd end) = 0;
  virtual void requests_refused(RefusedNotice notice) = 0;
};

// Whom the engine's resolvers ask, and which answers they believe, by segment.
struct ResolverPlan {
  std::vector<IpAddress> servers;
  std::map<std::string, Resolver::Judge> segments;
};

// The conduits whose sessions a revision keeps.
using KeptPlans = std::map<std::string, ConduitPlan>;

struct EngineShare {  // of `sessions`
  std::vector<nlohmann::json> sessions;
  std::size_t total = 0;
  std::size_t buffered = 0;
};
inline constexpr std::size_t kMostSessionsShown = 1000;

class Engine : public ConversationHost, private CreditBooks, private TimerTarget {
 public:
  Engine(Loop& loop, SocketSource& sockets, EngineReports& reports, const Timeouts& timeouts);
  ~Engine() override;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  void take(Arrival arrival);
  void use_resolvers(const ResolverPlan& plan);
  // Cuts (RST) every session whose conduit is not there or means something else.
  void keep_only(const KeptPlans& plans, const std::string& why);
  void cut_all(const std::string& why);

  EngineShare share() const;
  const AdmissionCounts& counts() const { return counts_; }
  // Recounts; false if a credit was lost or made up.
  bool books_add_up() const;

  // ConversationHost.
  Loop& loop() override { return loop_; }
  SocketSource& sockets() override { return sockets_; }
  Resolver& resolver(const ConduitPlan& plan) override;
  const Timeouts& timeouts() const override { return timeouts_; }
  void ended(Conversation& conversation, const std::optional<Error>& error) override;
  void refused_requests(Conversation& conversation,
                        const std::vector<RefusedRequest>& requests) override;

 private:
  struct Refusals {
    EventLimit limit;
    std::uint64_t untold = 0;
  };

  void settled(const Ticket& ticket, wire::HandoverOutcome outcome) noexcept override;
  void left(const Ticket& ticket) noexcept override;
  void on_timer() override;
  void cut_those(const std::function<bool(const Conversation&)>& which, const std::string& why);

  Loop& loop_;
  SocketSource& sockets_;
  EngineReports& reports_;
  Timeouts timeouts_;
  AdmissionCounts counts_;
  std::map<std::string, std::unique_ptr<Resolver>> resolvers_;
  std::unordered_map<Conversation*, std::shared_ptr<Conversation>> conversations_;
  std::unordered_map<Account*, Refusals> refusals_;
  bool to_tell_ = false;  // a timer will tell what is untold
};

}  // namespace sallyport::terminator
