// The front of the process: everything that exists once, however many engines there are. It brings
// revisions into force, owns the listeners and accepts on them, keeps the books of handshakes in
// flight, both ends of the handover ring and the places, and gives each connection to the engine
// that has the fewest.
//
//   prepare  loads credentials and opens the listeners that the revision adds; the old ones stay.
//            Refused (nothing changed) if a credential or a listener is not to be had, except when
//            no revision is in force yet (after a start) or the conduit was closed already: then it
//            stays closed, is reported, and is tried again every kMendInterval; the others run.
//   commit   lets go of what the revision removes: its listeners close, and sessions of conduits
//            that are gone or mean something else are cut with RST, in every engine, before `done`.
//   abort    closes what prepare opened, and cuts what came in by it likewise.
//
// Engines cannot refuse: what can fail (credentials, listeners, memory for them) is done here, so
// that a revision is in force in all of them or in none.
//
// Thread: its loop's, from which it hears of its engines by its mailbox.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <string>
#include <vector>

#include "policy/decide/classifier.h"
#include "policy/os/memfd.h"
#include "tls-termination/session/account.h"
#include "tls-termination/session/engine_thread.h"
#include "tls-termination/session/journal.h"
#include "tls-termination/session/places.h"

namespace sallyport::terminator {

struct TerminatorOptions {
  Timeouts timeouts;
  unsigned engines = 1;
  // Conversations at once, over all engines and conduits.
  std::size_t places = 4096;
  Instant (*clock)() = nullptr;
  // Seconds since 1970, for certificates.
  std::int64_t (*wall_s)() = nullptr;
};

inline constexpr auto kMendInterval = std::chrono::seconds(5);
inline constexpr std::size_t kFailuresKept = 128;

class Terminator : private EngineReports, private TimerTarget {
 public:
  using Done = std::function<void(Result<void>)>;
  using Answer = std::function<void(std::string json)>;

  // `loop`, `sockets` and `journal` outlive it. Starts the engines' threads: kSystem "engine",
  // "mailbox".
  static Result<std::unique_ptr<Terminator>> create(Loop& loop, SocketSource& sockets,
                                                    KeyStore keys, Journal& journal,
                                                    const TerminatorOptions& options);
  ~Terminator() override;
  Terminator(const Terminator&) = delete;
  Terminator& operator=(const Terminator&) = delete;

  // `snapshot` is a sealed mapping; it is verified here. `done` may be called from within. One
  // prepare at a time: a newer one replaces an unfinished one, whose `done` then gets "superseded".
  void prepare(os::Mapping snapshot, std::uint64_t revision, Done done);
  // kUsage "not-prepared" if this revision is not the prepared one; the one in force is done
  // already.
  void commit(std::uint64_t revision, Done done);
  void abort(std::uint64_t revision, Done done);

  void attach_ring(os::Mapping memory) { handover_.attach(std::move(memory)); }
  // Looks at the credentials again; sessions keep theirs. Says what changed.
  std::string reload();
  // Hashes of the CAs in the key store; reads their files.
  std::string authorities_json() const;

  std::uint64_t revision() const { return in_force_.revision; }
  std::string status_json() const;
  // Of all engines together.
  void sessions(Answer answer);
  const AdmissionCounts* counts(const std::string& conduit) const;
  std::size_t conversations() const { return places_.used(); }
  std::size_t engines() const { return engines_.size(); }
  EngineThread& engine(std::size_t number) { return *engines_[number]; }
  // Every engine's loop goes round: the daemon may say that it is alive.
  bool alive() const;

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
    std::size_t waiting = 0;
    bool activated = false;
    std::optional<Error> error;
    Done done;
  };
  struct Failure {
    std::string conduit;
    std::string client;
    Error error;
    std::int64_t at_s = 0;
  };
  struct EngineLoad {
    std::size_t sessions = 0;
  };
  // Answers of all engines, being collected.
  struct Gathering {
    std::size_t waiting = 0;
    std::vector<EngineShare> shares;
    std::function<void(std::vector<EngineShare>)> done;
  };

  Terminator(Loop& loop, SocketSource& sockets, KeyStore keys, Journal& journal,
             const TerminatorOptions& options, std::unique_ptr<Mailbox> mailbox);

  // Revisions: terminator.cc.
  void on_timer() override;
  ConduitState load(ConduitPlan plan) const;
  bool may_stay_closed(const std::string& name, const ConduitPlan& plan) const;
  Result<std::shared_ptr<Preparation>> begin(os::Mapping snapshot, std::uint64_t revision) const;
  void open_missing(const std::shared_ptr<Preparation>& preparation);
  void open_listener(const ListenAddress& where, const std::string& conduit,
                     const std::weak_ptr<Preparation>& preparation);
  void listener_done(Preparation& preparation, const ListenAddress& where,
                     const std::string& conduit, Result<std::unique_ptr<Listener>> outcome);
  void prepared(Preparation& preparation);
  void keep_only(const Conduits& conduits, std::string why, Done done);
  void use_resolvers(const Revision& revision);
  void mend();
  void reopened(const std::string& name, const ListenAddress& where, const ConduitState& fresh,
                Result<os::UniqueFd> socket);
  void release_unused(const Conduits& conduits);
  void close_conduit(const std::string& name, ConduitState& state, Error error);

  // Traffic: terminator_traffic.cc.
  const ConduitState* conduit_of(const Listener& listener) const;
  void accept_from(Listener& listener);
  bool accept_one(Listener& listener);
  bool has_room(Listener& listener, const ConduitState& conduit, const Account& account);
  std::size_t idlest_engine();
  static void resume(const std::set<Listener*>& listeners);
  void forget_waiting(Listener& listener);
  void divide_places();
  void settle(const Ticket& ticket, wire::HandoverOutcome outcome);
  void leave(const Ticket& ticket);
  void tell_end(const SessionEnd& end);
  void tell_refused(const RefusedNotice& notice);
  void note_left_out(Account& account) const;
  Account& account(const std::string& conduit);
  void tell(std::string_view kind, const nlohmann::json& text);
  void ask_engines(const std::function<EngineShare(Engine&)>& question,
                   std::function<void(std::vector<EngineShare>)> done);

  // EngineReports: called on engines' threads, acted on here.
  void handshake_settled(const Ticket& ticket, wire::HandoverOutcome outcome) override;
  void conversation_left(const Ticket& ticket) override;
  void session_ended(SessionEnd end) override;
  void requests_refused(RefusedNotice notice) override;

  Loop& loop_;
  SocketSource& sockets_;
  KeyStore keys_;
  Journal& journal_;
  TerminatorOptions options_;
  std::shared_ptr<Mailbox> mailbox_;
  HandoverEnd handover_;
  std::map<std::string, Account> accounts_;
  Places places_;
  Revision in_force_;
  std::shared_ptr<Preparation> preparation_;
  std::map<ListenAddress, std::unique_ptr<Listener>> listeners_;
  // Paused until a handshake of their conduit ends, or until somebody leaves.
  std::map<const Account*, std::set<Listener*>> waiting_for_credit_;
  std::set<Listener*> waiting_for_place_;
  std::deque<Failure> failures_;
  std::map<std::uint64_t, Gathering> gatherings_;
  std::uint64_t next_gathering_ = 1;
  Instant next_mend_;
  std::vector<EngineLoad> loads_;
  std::size_t next_engine_ = 0;
  std::vector<std::unique_ptr<EngineThread>> engines_;  // last: they end first
};

}  // namespace sallyport::terminator
