// Brings a revision into force in setup, terminator and dataplane, and keeps it there: the
// two-sided acknowledgement of docs/design/0001-borders.md as a table of steps, one round at a
// time.
//
// Two kinds of rounds. A *commit* takes a new revision through all steps; a refusal or a loss on
// the way undoes it everywhere and the old revision is as before. A *resync* sends the revision in
// force again to whoever (re)connected, and is tried again with a back-off for ever.
//
// Thread: the loop's; `now` is an argument; nothing blocks. Failures: told to `done` of commit();
// resyncs only raise an alert. Source: design.md §2.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "control/ipc/setup.h"
#include "control/ipc/sibling.h"
#include "control/reconcile/target.h"

namespace sallyport::control {

class Reconciler {
 public:
  using Millis = Link::Millis;
  using Done = std::function<void(Result<void>)>;
  // kind (kebab-case), what happened.
  using Alert = std::function<void(const std::string&, const std::string&)>;
  static constexpr Millis kFirstRetry{500};
  static constexpr Millis kLastRetry{10'000};
  static constexpr Millis kRestartTimeout{60'000};

  enum class Step : std::uint8_t {
    kIdle,
    kListStacks,         // setup: which segments exist (resync only)
    kHostAdd,            // setup: stacks, addresses, neighbours, routes; kernel ports taken
    kConfigure,          // dataplane: ports, answered once deny is in force on them
    kRestart,            // dataplane ends itself and comes back for other ports
    kLinks,              // setup: links up
    kTaps,               // setup opens, dataplane attaches
    kRing,               // setup makes, both attach
    kPrepareTerminator,  // what the revision adds is opened
    kPrepareDataplane,   // tables are swapped
    kCommitTerminator,   // what the revision removes is let go
    kCommitDataplane,
    kHostRemove,  // setup and dataplane: what the revision no longer has
    kAbort,       // both: as before kPrepare
    kHostUndo,    // setup: what the refused revision had added
    kCount
  };

  Reconciler(SetupClient& setup, Sibling& terminator, Sibling& dataplane, Alert alert);

  // The revision to keep in force from now on, without asking anybody (at boot). `stale` are plans
  // of revisions that may have been under way when control last ended.
  void restore(TargetPtr target, std::vector<HostPlan> stale);
  // While running: what must be in force from now on whatever anybody says. Whoever is there is
  // given it, the others when they come; a refusal is alerted and tried again for ever.
  void force(TargetPtr target);
  // The same tables with newer words (warnings); a bug of the caller if they are not the same.
  void refresh(TargetPtr same);
  // Starts a commit. `done` once it is in force everywhere, or refused and undone.
  // Error{kUnavailable} at once when a round is under way or a sibling is missing.
  void commit(Millis now, TargetPtr candidate, Done done);
  // Whether this candidate has other ports than the dataplane drives, so that it must restart.
  bool needs_restart(const Target& candidate) const;

  // After setup, terminator and dataplane have run.
  void run(Millis now);
  std::optional<Millis> wake_at() const;

  TargetPtr in_force() const { return in_force_; }
  bool committing() const { return round_.candidate && round_.commit; }
  Step step() const { return round_.step; }
  static std::string_view step_name(Step step);
  // Revision acknowledged on the present connection; 0 = none.
  std::uint64_t terminator_revision() const { return terminator_state_.revision; }
  std::uint64_t dataplane_revision() const { return dataplane_state_.revision; }
  const std::string& last_error() const { return last_error_; }

 private:
  struct Row;
  struct PeerState {
    std::uint64_t generation = 0;  // of the connection that the rest is about; 0 = down
    std::uint64_t revision = 0;
    bool dirty = true;  // has not got the revision in force on this connection
  };
  struct Round {
    Step step = Step::kIdle;
    bool commit = false;
    bool restarted = false;
    TargetPtr candidate;  // what is being sent
    unsigned peers = 0;   // bits of those that take part
    Done done;
    std::optional<Error> error;   // the first of this step
    std::optional<Error> failed;  // why the round as a whole failed
    std::size_t outstanding = 0;  // calls of this step not answered yet
    std::uint64_t serial = 0;     // tells late answers of an earlier step
  };
  // Completion of one call of the present step.
  using Ticket = std::function<void(const std::optional<Error>&)>;

  static const Row& row(Step step);
  void notice_connections(Millis now);
  void notice(Millis now, unsigned bit, const Link& link, const char* name, PeerState& state);
  void start_resync(Millis now);
  bool wanted(Step step) const;
  void enter(Millis now, Step step);
  void step_ended(Millis now);
  Step after_failure(const Row& row, const Error& error);
  void round_ended(Millis now);
  void send_again();
  bool idle() const { return round_.step == Step::kIdle; }
  Ticket ticket();
  Sibling::Acked acked();
  void setup_all(Millis now, const std::vector<wire::SetupRequest>& requests,
                 bool absent_is_fine = false);
  HostPlan old_plan() const { return in_force_ ? in_force_->plan : HostPlan{}; }

  void do_list_stacks(Millis now);
  void list_stack(Millis now, std::uint32_t index);
  void do_host_add(Millis now);
  void do_configure(Millis now);
  void do_restart(Millis now);
  void do_links(Millis now);
  void do_taps(Millis now);
  void do_ring(Millis now);
  void do_prepare_terminator(Millis now) { do_apply(now, terminator_, wire::Phase::Prepare); }
  void do_prepare_dataplane(Millis now) { do_apply(now, dataplane_, wire::Phase::Prepare); }
  void do_commit_terminator(Millis now) { do_apply(now, terminator_, wire::Phase::Commit); }
  void do_commit_dataplane(Millis now) { do_apply(now, dataplane_, wire::Phase::Commit); }
  void do_apply(Millis now, Sibling& sibling, wire::Phase phase);
  void do_host_remove(Millis now);
  void do_abort(Millis now);
  void do_host_undo(Millis now);
  void do_nothing(Millis) {}

  SetupClient& setup_;
  Sibling& terminator_;
  Sibling& dataplane_;
  Alert alert_;
  TargetPtr in_force_;
  std::vector<HostPlan> stale_;
  std::set<std::string> listed_;  // segments that setup has
  Round round_;
  PeerState setup_state_;
  PeerState terminator_state_;
  PeerState dataplane_state_;
  HostPlan made_;                     // what setup has made, as far as this run knows
  std::vector<os::PortSpec> probed_;  // what the dataplane drives on this connection
  std::set<std::uint16_t> attached_;  // TAPs on this connection, by segment slot
  bool ring_stale_ = true;
  bool forced_ = false;  // in_force_ changed inside a round
  std::uint32_t ring_generation_ = 0;
  Millis retry_at_{0};
  Millis backoff_ = kFirstRetry;
  std::optional<Millis> restart_deadline_;
  Ticket restart_ticket_;
  std::uint64_t restart_generation_ = 0;
  std::string last_error_;
};

}  // namespace sallyport::control
