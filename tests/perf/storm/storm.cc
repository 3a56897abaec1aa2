#include "tests/perf/storm/storm.h"

#include <algorithm>
#include <chrono>

namespace sallyport::storm {

Storm::Storm(const Scenario& scenario)
    : scenario_(scenario),
      wheel_(std::size_t{scenario.clients} * 3),
      server_(scenario.capacity, kAloneS, kServerTimeout),
      measure_(scenario),
      clients_(scenario.clients),
      segment_(scenario.clients),
      wanted_(scenario.clients) {
  if (scenario_.app_timeout_s > 0) app_timeout_ = seconds(scenario_.app_timeout_s);
  patience_ = std::min(stack_gives_up(scenario_.stack), app_timeout_);
  max_in_service_ = std::max(2U, static_cast<std::uint32_t>(scenario_.capacity * 0.1 * 1.2));
  for (std::uint32_t c = 0; c < scenario_.clients; ++c) {
    segment_[c] = segment_for(c);
    clients_[c].resumed = chance(c, 0, Chance::kResumed) < scenario_.resumed;
    const Slot boot =
        1 + static_cast<Slot>(chance(c, 0, Chance::kBoot) * seconds(scenario_.spread_s));
    if (stalls(c)) {
      --wanted_;
    } else {
      measure_.boot(boot, segment_[c], clients_[c].resumed);
    }
    wheel_.at(boot, c, 0, EventKind::kTimer);
  }
  if (scenario_.policy == Policy::kOurs) {
    engine_ = std::make_unique<EngineGate>(scenario_, segment_, 0);
    if (scenario_.known)
      engine_->teach([&](std::uint32_t c) { return clients_[c].resumed; }, scenario_.clients);
  }
  if (scenario_.policy == Policy::kTokenBucket || scenario_.policy == Policy::kReset)
    bucket_ = std::make_unique<Bucket>(scenario_.capacity, std::max(1.0, scenario_.capacity / 10));
  if (scenario_.policy == Policy::kNftLimit)
    bucket_ = std::make_unique<Bucket>(scenario_.capacity, 5);
  measure_.set_optimum(patience_, kLeastFlight,
                       [&](std::uint32_t c, std::uint32_t attempt) { return pause(c, attempt); });
  if (scenario_.mishap != Mishap::kNothing)
    mishap_at_ = static_cast<Slot>(scenario_.mishap_at * measure_.optimum());
}

void Storm::fire(const Event& event) {
  ++events_;
  const std::uint32_t c = event.client;
  switch (static_cast<EventKind>(event.kind)) {
    case EventKind::kTimer:
      return on_timer(c, event.attempt);
    case EventKind::kSynAck:
      return on_syn_ack(c, event.attempt);
    case EventKind::kAsked:
      return on_asked(c, event.attempt);
    case EventKind::kHello:
      return on_hello(c, event.attempt);
    case EventKind::kServerHello:
      return on_server_hello(c, event.attempt);
    case EventKind::kFinished:
      return on_finished(c, event.attempt);
    case EventKind::kReset:
      return on_reset(c, event.attempt);
    case EventKind::kLeft:
      return on_left(c, event.attempt);
    case EventKind::kNotice:
      return on_notice(c, event.attempt);
  }
}

bool Storm::over() const {
  const Slot now = wheel_.now();
  if (connected_ != wanted_ || now <= measure_.begin()) return false;
  // Everyone is back; but have all noticed yet that they were not?
  if (mishap_end_ != kNever) return now > mishap_end_ + seconds(12);
  return mishap_at_ == kNever || now > mishap_at_;
}

Result Storm::run() {
  const auto wall = std::chrono::steady_clock::now();
  const auto horizon = static_cast<Slot>(scenario_.horizon * measure_.optimum()) +
                       (mishap_at_ == kNever ? 0 : seconds(120));
  while (wheel_.now() < horizon && !over()) {
    const Slot next = wheel_.now() + 1;
    if (next == mishap_at_) mishap_begins();
    if (next == mishap_end_) mishap_ends();
    wheel_.advance([&](const Event& event) { fire(event); });
    if (server_up()) server_step();
    if (wheel_.now() % kSlotsPerMs == 0) tick();
    if (wheel_.now() % ms(100) == 0) {
      notice_who_is_late();
      measure_.sample(wheel_.now());
    }
  }
  Result result = measure_.result(scenario_);
  result.events = events_;
  if (engine_) result.allocations = engine_->engine_allocations();
  result.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
  return result;
}

Result run(const Scenario& scenario) { return Storm(scenario).run(); }

}  // namespace sallyport::storm
