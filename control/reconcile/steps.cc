// What each step of the reconciler does; the order is the table's in reconciler.cc.
#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "control/reconcile/reconciler.h"

namespace sallyport::control {
namespace {

constexpr std::uint32_t kMaxStacks = 4096;

os::UniqueFd duplicate(const os::UniqueFd& fd) {
  return os::UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
}

std::string name_in(const std::array<char, 48>& detail) {
  return {detail.data(), strnlen(detail.data(), detail.size())};
}

// What was to be taken away is not there.
bool says_absent(const Error& error) {
  for (const int number : {ENOENT, ENODEV, ESRCH, EADDRNOTAVAIL})
    if (error.code == fmt::format("setup-{}", number)) return true;
  return false;
}

}  // namespace

void Reconciler::setup_all(Millis now, const std::vector<wire::SetupRequest>& requests,
                           bool absent_is_fine) {
  for (const wire::SetupRequest& request : requests)
    setup_.call(now, request, [=, done = ticket()](const Result<SetupClient::Answer>& answer) {
      const bool fine = answer || (absent_is_fine && says_absent(answer.error()));
      done(fine ? std::nullopt : std::optional(answer.error()));
    });
}

void Reconciler::do_list_stacks(Millis now) {
  listed_.clear();
  list_stack(now, 0);
}

void Reconciler::list_stack(Millis now, std::uint32_t index) {
  wire::SetupRequest request = setup_request(wire::SetupOp::kSegmentList, "");
  request.value = index;
  setup_.call(now, request,
              [this, now, index, done = ticket()](const Result<SetupClient::Answer>& answer) {
                const bool end = !answer && answer.error().code == fmt::format("setup-{}", ENOENT);
                if (answer && index < kMaxStacks) {
                  listed_.insert(name_in(answer->reply.detail));
                  list_stack(now, index + 1);
                }
                done(answer || end ? std::nullopt : std::optional(answer.error()));
              });
}

void Reconciler::do_host_add(Millis now) {
  setup_all(now, additions(made_, round_.candidate->plan));
}

void Reconciler::do_configure(Millis now) {
  dataplane_.configure(now, round_.candidate->ports, acked());
}

void Reconciler::do_restart(Millis now) {
  round_.restarted = true;
  restart_generation_ = dataplane_.link().generation();
  restart_deadline_ = now + kRestartTimeout;
  restart_ticket_ = ticket();
  alert_("dataplane-restart", "the dataplane restarts because its ports change");
  // It answers, or is gone before it could: only its return counts.
  dataplane_.query(now, "restart", {}, Millis(0), [](const Result<Sibling::Reply>&) {});
}

void Reconciler::do_links(Millis now) {
  std::vector<wire::SetupRequest> requests;
  for (const std::string& name : round_.candidate->plan.interfaces)
    requests.push_back(setup_request(wire::SetupOp::kPortUp, name));
  setup_all(now, requests);
}

void Reconciler::do_taps(Millis now) {
  for (const auto& [name, stack] : round_.candidate->plan.stacks) {
    if (attached_.contains(stack.slot)) continue;
    setup_.call(now, setup_request(wire::SetupOp::kTapOpen, name),
                [this, now, name, slot = stack.slot, done = ticket(),
                 serial = round_.serial](Result<SetupClient::Answer> answer) {
                  if (!answer && answer.error().code == fmt::format("setup-{}", EBUSY)) {
                    // A TAP has one queue: the dataplane still holds it, from a control before us.
                    attached_.insert(slot);
                    return done(std::nullopt);
                  }
                  if (!answer) return done(answer.error());
                  if (!answer->fd)
                    return done(Error{ErrorKind::kInternal, "no-tap", "setup sent no TAP"});
                  if (serial != round_.serial) return;
                  dataplane_.attach_tap(now, slot, name, std::move(answer->fd),
                                        [this, slot, done](const Result<std::uint64_t>& ack) {
                                          if (ack) attached_.insert(slot);
                                          done(ack ? std::nullopt : std::optional(ack.error()));
                                        });
                });
  }
}

void Reconciler::do_ring(Millis now) {
  setup_.call(
      now, setup_request(wire::SetupOp::kOpenRing, ""),
      [this, now, done = ticket(), serial = round_.serial](Result<SetupClient::Answer> answer) {
        if (!answer) return done(answer.error());
        if (!answer->fd) return done(Error{ErrorKind::kInternal, "no-ring", "setup sent no ring"});
        if (serial != round_.serial) return;
        ++ring_generation_;
        terminator_.attach_ring(now, ring_generation_, duplicate(answer->fd), acked());
        dataplane_.attach_ring(now, ring_generation_, std::move(answer->fd), acked());
        done(std::nullopt);
      });
}

void Reconciler::do_apply(Millis now, Sibling& sibling, wire::Phase phase) {
  os::UniqueFd memory;
  if (phase == wire::Phase::Prepare) memory = duplicate(round_.candidate->memory);
  sibling.apply(now, round_.candidate->revision, phase, std::move(memory), acked());
}

void Reconciler::do_host_remove(Millis now) {
  const HostPlan& plan = round_.candidate->plan;
  if (round_.commit) {
    const HostPlan old = old_plan();
    for (const auto& [name, stack] : old.stacks) {
      if (plan.stacks.contains(name) || attached_.erase(stack.slot) == 0) continue;
      dataplane_.detach_tap(now, stack.slot, name, acked());
    }
    stale_.push_back(old);
    // Both siblings have acknowledged: from here on this is the revision in force.
    in_force_ = round_.candidate;
  }
  std::set<std::string> gone;
  if (setup_state_.dirty) gone = listed_;
  std::vector<wire::SetupRequest> requests;
  for (HostPlan stale : stale_) {
    std::erase_if(stale.stacks, [&](const auto& entry) {
      if (plan.stacks.contains(entry.first)) return false;
      gone.insert(entry.first);  // deleted as a whole
      return true;
    });
    for (const auto& request : removals(stale, plan)) requests.push_back(request);
  }
  for (const std::string& name : gone)
    if (!plan.stacks.contains(name))
      requests.push_back(setup_request(wire::SetupOp::kSegmentDelete, name));
  setup_all(now, requests, true);
}

void Reconciler::do_abort(Millis now) {
  for (auto [sibling, state] :
       {std::pair(&terminator_, &terminator_state_), std::pair(&dataplane_, &dataplane_state_)}) {
    if (!sibling->up()) continue;
    sibling->apply(now, round_.candidate->revision, wire::Phase::Abort, {},
                   [state, done = ticket()](const Result<std::uint64_t>& ack) {
                     // Whoever cannot say that it is back is sent the old revision again.
                     if (!ack) state->dirty = true;
                     done(std::nullopt);
                   });
  }
}

void Reconciler::do_host_undo(Millis now) {
  if (!in_force_) {
    // Nothing to go back to, and the dataplane drives these ports: they stay, and deny.
    stale_.push_back(round_.candidate->plan);
    made_ = {};
    return;
  }
  if (!setup_.up()) return;
  const HostPlan old = old_plan();
  auto requests = additions(round_.candidate->plan, old);
  for (const auto& request : removals(round_.candidate->plan, old)) requests.push_back(request);
  made_ = old;
  for (const wire::SetupRequest& request : requests)
    setup_.call(now, request, [this, done = ticket()](const Result<SetupClient::Answer>& answer) {
      if (!answer) setup_state_.dirty = true;
      done(std::nullopt);
    });
}

}  // namespace sallyport::control
