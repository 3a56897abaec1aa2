#include "control/reconcile/reconciler.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "policy/base/check.h"

namespace sallyport::control {
namespace {

constexpr unsigned kSetupBit = 1;
constexpr unsigned kTerminatorBit = 2;
constexpr unsigned kDataplaneBit = 4;
constexpr unsigned kEverybody = kSetupBit | kTerminatorBit | kDataplaneBit;

}  // namespace

// One line per step: who must take part, what is done, what follows, and where a commit goes when
// this step fails. A resync that fails leaves out whoever failed and goes on with the others.
struct Reconciler::Row {
  Step step;
  std::string_view name;
  unsigned needs;
  void (Reconciler::*action)(Millis);
  Step next;
  Step undo;
};

const Reconciler::Row& Reconciler::row(Step step) {
  using enum Step;
  using R = Reconciler;
  constexpr unsigned kS = kSetupBit;
  constexpr unsigned kT = kTerminatorBit;
  constexpr unsigned kD = kDataplaneBit;
  static const std::array<Row, static_cast<std::size_t>(kCount)> kRows{{
      {kIdle, "idle", 0, &R::do_nothing, kIdle, kIdle},
      {kListStacks, "list-stacks", kS, &R::do_list_stacks, kHostAdd, kHostUndo},
      {kHostAdd, "host-add", kS, &R::do_host_add, kConfigure, kHostUndo},
      {kConfigure, "configure", kD, &R::do_configure, kLinks, kHostUndo},
      {kRestart, "restart", kD, &R::do_restart, kConfigure, kHostUndo},
      {kLinks, "links", kS | kD, &R::do_links, kTaps, kHostUndo},
      {kTaps, "taps", kS | kD, &R::do_taps, kRing, kHostUndo},
      {kRing, "ring", kEverybody, &R::do_ring, kPrepareTerminator, kHostUndo},
      {kPrepareTerminator, "prepare-terminator", kT, &R::do_prepare_terminator, kPrepareDataplane,
       kAbort},
      {kPrepareDataplane, "prepare-dataplane", kD, &R::do_prepare_dataplane, kCommitTerminator,
       kAbort},
      {kCommitTerminator, "commit-terminator", kT, &R::do_commit_terminator, kCommitDataplane,
       kAbort},
      {kCommitDataplane, "commit-dataplane", kD, &R::do_commit_dataplane, kHostRemove, kAbort},
      {kHostRemove, "host-remove", kS, &R::do_host_remove, kIdle, kIdle},
      {kAbort, "abort", 0, &R::do_abort, kHostUndo, kHostUndo},
      {kHostUndo, "host-undo", 0, &R::do_host_undo, kIdle, kIdle},
  }};
  const Row& found = kRows[static_cast<std::size_t>(step)];
  SALLYPORT_CHECK(found.step == step);
  return found;
}

std::string_view Reconciler::step_name(Step step) { return row(step).name; }

Reconciler::Reconciler(SetupClient& setup, Sibling& terminator, Sibling& dataplane, Alert alert)
    : setup_(setup), terminator_(terminator), dataplane_(dataplane), alert_(std::move(alert)) {}

void Reconciler::restore(TargetPtr target, std::vector<HostPlan> stale) {
  SALLYPORT_CHECK(target->proven());
  in_force_ = std::move(target);
  stale_ = std::move(stale);
}

void Reconciler::send_again() {
  for (PeerState* state : {&setup_state_, &terminator_state_, &dataplane_state_})
    state->dirty = true;
  backoff_ = kFirstRetry;
  retry_at_ = Millis(0);
}

void Reconciler::force(TargetPtr target) {
  if (in_force_) stale_.push_back(in_force_->plan);
  in_force_ = std::move(target);
  forced_ = !idle();
  send_again();
}

void Reconciler::refresh(TargetPtr same) {
  SALLYPORT_CHECK(in_force_ &&
                  std::ranges::equal(in_force_->mapping.bytes(), same->mapping.bytes()));
  // A round that is sending it goes on with the memory that it has.
  in_force_ = std::move(same);
}

bool Reconciler::needs_restart(const Target& candidate) const {
  const auto same = [](const os::PortSpec& a, const os::PortSpec& b) {
    return a.slot == b.slot && a.name == b.name && a.device == b.device;
  };
  const std::vector<os::PortSpec>& now = in_force_ ? in_force_->ports : probed_;
  return !now.empty() &&
         !std::equal(now.begin(), now.end(), candidate.ports.begin(), candidate.ports.end(), same);
}

void Reconciler::commit(Millis now, TargetPtr candidate, Done done) {
  SALLYPORT_CHECK(candidate->proven());
  const auto refuse = [&](std::string code, std::string context) {
    done(fail(ErrorKind::kUnavailable, std::move(code), std::move(context)));
  };
  if (!idle()) return refuse("busy", "another revision is being brought into force; try again");
  for (const auto& [up, name] :
       {std::pair(setup_.up(), "setup"), std::pair(terminator_.up(), "terminator"),
        std::pair(dataplane_.up(), "dataplane")})
    if (!up)
      return refuse("peer-gone",
                    fmt::format("sallyport-{} is not running: start it, then apply again", name));
  notice_connections(now);
  const std::uint64_t serial = round_.serial;
  round_ = {};
  round_.serial = serial;
  round_.commit = true;
  round_.candidate = std::move(candidate);
  round_.peers = kEverybody;
  round_.done = std::move(done);
  enter(now, Step::kListStacks);
}

void Reconciler::notice(Millis now, unsigned bit, const Link& link, const char* name,
                        PeerState& state) {
  const std::uint64_t generation = link.up() ? link.generation() : 0;
  if (generation == state.generation) return;
  const bool lost = state.generation != 0;
  state = {generation, 0, true};
  if (bit == kDataplaneBit) {
    probed_.clear();
    attached_.clear();
  }
  if (bit == kSetupBit) made_ = {};
  if (bit != kSetupBit) ring_stale_ = true;
  if (generation != 0) {
    retry_at_ = now;
    backoff_ = kFirstRetry;
  }
  const bool expected = bit == kDataplaneBit && round_.step == Step::kRestart;
  if (lost && !expected)
    alert_("process-lost", fmt::format("the connection to sallyport-{} was lost", name));
  if (!idle() && lost && !expected && (round_.peers & bit) != 0 && !round_.error)
    round_.error = Error{ErrorKind::kUnavailable, "peer-gone",
                         fmt::format("the connection to sallyport-{} was lost", name)};
}

void Reconciler::notice_connections(Millis now) {
  notice(now, kSetupBit, setup_.link(), "setup", setup_state_);
  notice(now, kTerminatorBit, terminator_.link(), "terminator", terminator_state_);
  notice(now, kDataplaneBit, dataplane_.link(), "dataplane", dataplane_state_);
}

void Reconciler::run(Millis now) {
  notice_connections(now);
  if (restart_ticket_) {
    const std::uint64_t generation = dataplane_state_.generation;
    if (generation != 0 && generation != restart_generation_)
      std::exchange(restart_ticket_, {})(std::nullopt);
  }
  if (restart_ticket_ && restart_deadline_ && now >= *restart_deadline_)
    std::exchange(restart_ticket_, {})(
        Error{ErrorKind::kTimeout, "dataplane-not-back",
              "sallyport-dataplane did not come back with the new ports; look at its journal"});
  // A step without answers to wait for ends at once, so several may end in one turn.
  while (!idle() && round_.outstanding == 0) step_ended(now);
  if (idle()) start_resync(now);
}

std::optional<Reconciler::Millis> Reconciler::wake_at() const {
  if (restart_ticket_) return restart_deadline_;
  if (!idle() || !in_force_) return std::nullopt;
  const bool waiting = (setup_.up() && setup_state_.dirty) ||
                       (terminator_.up() && terminator_state_.dirty) ||
                       (dataplane_.up() && setup_.up() && dataplane_state_.dirty) ||
                       (ring_stale_ && setup_.up() && terminator_.up() && dataplane_.up());
  return waiting ? std::optional(retry_at_) : std::nullopt;
}

void Reconciler::start_resync(Millis now) {
  if (!in_force_ || now < retry_at_) return;
  unsigned peers = 0;
  if (setup_.up() && setup_state_.dirty) peers |= kSetupBit;
  if (terminator_.up() && terminator_state_.dirty) peers |= kTerminatorBit;
  // TAPs come from setup, so the dataplane is served when both are there.
  if (dataplane_.up() && setup_.up() && dataplane_state_.dirty) peers |= kSetupBit | kDataplaneBit;
  if (ring_stale_ && setup_.up() && terminator_.up() && dataplane_.up()) peers |= kEverybody;
  if (peers == 0) return;
  const std::uint64_t serial = round_.serial;
  round_ = {};
  round_.serial = serial;
  round_.candidate = in_force_;
  round_.peers = peers;
  enter(now, Step::kListStacks);
  while (!idle() && round_.outstanding == 0) step_ended(now);
}

// Whether a step has anything to do in this round.
bool Reconciler::wanted(Step step) const {
  const Row& r = row(step);
  if ((round_.peers & r.needs) != r.needs) return false;
  switch (step) {
    case Step::kListStacks:
      return setup_state_.dirty;
    case Step::kRing:
      return ring_stale_;
    case Step::kConfigure:
      return dataplane_state_.dirty || (round_.commit && needs_restart(*round_.candidate));
    case Step::kLinks:
      return dataplane_state_.dirty;
    case Step::kPrepareDataplane:
    case Step::kCommitDataplane:
      return round_.commit || dataplane_state_.dirty;
    case Step::kPrepareTerminator:
    case Step::kCommitTerminator:
      return round_.commit || terminator_state_.dirty;
    case Step::kRestart:
      return false;  // entered by after_failure() alone
    default:
      return true;
  }
}

void Reconciler::enter(Millis now, Step step) {
  while (step != Step::kIdle && row(step).needs != 0 && !wanted(step) &&
         !(step == Step::kRestart && !round_.restarted))
    step = row(step).next;
  round_.step = step;
  round_.error.reset();
  round_.outstanding = 0;
  ++round_.serial;
  if (step == Step::kIdle) return round_ended(now);
  (this->*row(step).action)(now);
}

Reconciler::Ticket Reconciler::ticket() {
  ++round_.outstanding;
  return [this, serial = round_.serial](const std::optional<Error>& error) {
    if (serial != round_.serial) return;
    --round_.outstanding;
    if (error && !round_.error) round_.error = error;
  };
}

Sibling::Acked Reconciler::acked() {
  return [done = ticket()](const Result<std::uint64_t>& result) {
    done(result ? std::nullopt : std::optional(result.error()));
  };
}

void Reconciler::step_ended(Millis now) {
  const Row& r = row(round_.step);
  if (round_.error) {
    const Error error = *round_.error;
    const Step next = after_failure(r, error);
    return enter(now, next);
  }
  switch (r.step) {
    case Step::kHostAdd:
      if (!round_.commit) made_ = round_.candidate->plan;
      break;
    case Step::kConfigure:
      probed_ = round_.candidate->ports;
      break;
    case Step::kRing:
      ring_stale_ = false;
      break;
    case Step::kCommitTerminator:
      terminator_state_.revision = round_.candidate->revision;
      terminator_state_.dirty = false;
      break;
    case Step::kCommitDataplane:
      dataplane_state_.revision = round_.candidate->revision;
      dataplane_state_.dirty = false;
      break;
    case Step::kHostRemove:
      made_ = round_.candidate->plan;
      setup_state_.dirty = false;
      stale_.clear();
      break;
    default:
      break;
  }
  enter(now, r.next);
}

Reconciler::Step Reconciler::after_failure(const Row& r, const Error& error) {
  const bool ports = error.code == "ports-changed" && r.step == Step::kConfigure;
  if (ports && !round_.restarted) return Step::kRestart;
  if (r.step == Step::kHostRemove) {
    // The revision is in force; what could not be taken away is tried again by a resync.
    alert_("host-remove-failed", error.context);
    setup_state_.dirty = true;
    return Step::kIdle;
  }
  if (r.step == Step::kAbort || r.step == Step::kHostUndo) return r.next;
  if (!round_.failed) round_.failed = error;
  if (round_.commit) {
    if (r.step == Step::kCommitTerminator || r.step == Step::kCommitDataplane ||
        r.step == Step::kConfigure || r.step == Step::kRestart || round_.restarted) {
      // Somebody may have let go of the old revision already: it is sent again.
      terminator_state_.dirty = true;
      dataplane_state_.dirty = true;
    }
    return r.undo;
  }
  if (r.needs == kEverybody) return r.next;
  if (r.needs == kSetupBit && r.step != Step::kHostRemove) {
    round_.peers &= kTerminatorBit;  // who can do without setup
  } else {
    round_.peers &= ~(r.needs & ~kSetupBit);
  }
  return r.next;
}

void Reconciler::round_ended(Millis now) {
  const std::optional<Error> failed = round_.failed;
  const Done done = std::move(round_.done);
  const std::uint64_t serial = round_.serial;
  const bool commit = round_.commit;
  round_ = {};
  round_.serial = serial;
  // What was sent is not what is to be in force any more.
  if (std::exchange(forced_, false)) send_again();
  if (failed) {
    if (!commit && failed->context != last_error_)
      alert_("resync-failed", fmt::format("{}: {}", failed->code, failed->context));
    last_error_ = failed->context;
    retry_at_ = now + backoff_;
    backoff_ = std::min(backoff_ * 2, kLastRetry);
  } else {
    last_error_.clear();
    backoff_ = kFirstRetry;
    retry_at_ = now;
  }
  if (done) done(failed ? Result<void>(fail(*failed)) : Result<void>());
}

}  // namespace sallyport::control
