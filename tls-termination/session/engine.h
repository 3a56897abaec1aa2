// Everything that one thread of the terminator does with a revision: listeners, conversations,
// credentials, and the three steps by which a revision comes into force.
//
//   prepare  loads credentials and opens the listeners that the revision adds; the old ones stay.
//            Refused (nothing changed) if a credential or a listener is not to be had, except when
//            no revision is in force yet (after a start) or the conduit was closed already: then it
//            stays closed, is reported, and is tried again every kMendInterval; the others run.
//   commit   lets go of what the revision removes: its listeners close, and sessions of conduits
//            that are gone or mean something else are cut with RST.
//   abort    closes what prepare opened.
//
// Designed for one engine per core: engines share nothing but the key folder; a conduit's listeners
// would be opened by each with SO_REUSEPORT. Today there is one. Owned and called by its thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>

#include "policy/decide/classifier.h"
#include "policy/os/memfd.h"
#include "tls-termination/session/conversation.h"
#include "tls-termination/session/journal.h"

namespace sallyport::terminator {

struct EngineOptions {
  Timeouts timeouts;
  std::size_t max_conversations = 4096;
  // Seconds since 1970, for certificates.
  std::int64_t (*wall_s)() = nullptr;
};

inline constexpr auto kMendInterval = std::chrono::seconds(5);
inline constexpr std::size_t kFailuresKept = 128;

class Engine : public ConversationHost, private TimerTarget {
 public:
  using Done = std::function<void(Result<void>)>;

  Engine(Loop& loop, SocketSource& sockets, KeyStore keys, Journal& journal, EngineOptions options);
  ~Engine() override;

  // `snapshot` is a sealed mapping; it is verified here. `done` may be called from within. One
  // prepare at a time: a newer one replaces an unfinished one, whose `done` then gets "superseded".
  void prepare(os::Mapping snapshot, std::uint64_t revision, Done done);
  // kUsage "not-prepared" if this revision is not the prepared one; the one in force is done
  // already.
  Result<void> commit(std::uint64_t revision);
  Result<void> abort(std::uint64_t revision);

  void attach_ring(os::Mapping memory, std::uint32_t generation);
  // Looks at the credentials again; sessions keep theirs. Says what changed.
  std::string reload();

  std::uint64_t revision() const { return in_force_.revision; }
  std::string status_json() const;
  std::string sessions_json() const;
  const AdmissionCounts* counts(const std::string& conduit) const;
  std::size_t conversations() const { return conversations_.size(); }
  std::size_t buffered() const;

  // ConversationHost.
  Loop& loop() override { return loop_; }
  SocketSource& sockets() override { return sockets_; }
  Resolver& resolver(const ConduitPlan& plan) override;
  const Timeouts& timeouts() const override { return options_.timeouts; }
  void established(Conversation& conversation) override;
  void ended(Conversation& conversation, const std::optional<Error>& error) override;
  void refused_request(Conversation& conversation, const RefusedRequest& request) override;

 private:
  // A verified snapshot that stays mapped while anything points into it.
  struct Snapshot {
    os::Mapping mapping;
    wire::SnapshotView view;
    decide::Classifier classifier;
    Snapshot(os::Mapping m, const wire::SnapshotView& v)
        : mapping(std::move(m)), view(v), classifier(v) {}
  };
  struct ConduitState {
    std::shared_ptr<const Terms> terms;
    std::vector<CredentialFact> facts;
    std::string stamp;            // of its credential files when they were read
    std::optional<Error> closed;  // why it does not listen
  };
  using Conduits = std::map<std::string, ConduitState>;
  struct Revision {
    std::uint64_t revision = 0;
    std::shared_ptr<const Snapshot> snapshot;
    Conduits conduits;
  };
  class Listener;
  struct Preparation {
    Revision next;
    std::map<ListenAddress, std::unique_ptr<Listener>> opened;
    unsigned waiting = 0;
    bool activated = false;
    std::optional<Error> error;
    Done done;
  };
  struct Account {  // outlives revisions: credits point into it
    AdmissionCounts counts;
    std::uint64_t requests_refused = 0;
    std::uint64_t events = 0;
    std::uint64_t suppressed = 0;
    Instant second;
    unsigned in_second = 0;
  };
  struct Failure {
    std::string conduit;
    std::string client;
    Error error;
    std::int64_t at_s = 0;
  };

  void on_timer() override;
  ConduitState load(ConduitPlan plan) const;
  bool may_stay_closed(const std::string& name, const ConduitPlan& plan) const;
  void open_listener(const ListenAddress& where, const std::string& conduit,
                     const std::weak_ptr<Preparation>& preparation);
  void listener_done(Preparation& preparation, const ListenAddress& where,
                     const std::string& conduit, Result<std::unique_ptr<Listener>> outcome);
  void prepared(Preparation& preparation);
  void accept_from(Listener& listener);
  const ConduitState* conduit_of(const Listener& listener) const;
  void resume();
  void use_resolvers(const Revision& revision);
  void mend();
  void release_unused(const Conduits& conduits);
  void close_conduit(const std::string& name, ConduitState& state, Error error);
  void tell(Account& account, std::string_view kind, const std::string& json);

  Loop& loop_;
  SocketSource& sockets_;
  KeyStore keys_;
  Journal& journal_;
  EngineOptions options_;
  HandoverEnd handover_;
  std::map<std::string, Account> accounts_;
  Revision in_force_;
  std::shared_ptr<Preparation> preparation_;
  std::map<ListenAddress, std::unique_ptr<Listener>> listeners_;
  std::map<std::string, std::unique_ptr<Resolver>> resolvers_;
  std::shared_ptr<const Snapshot> resolver_snapshot_;
  std::unordered_map<Conversation*, std::shared_ptr<Conversation>> conversations_;
  std::deque<Failure> failures_;
  bool any_paused_ = false;
};

}  // namespace sallyport::terminator
