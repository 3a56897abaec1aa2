// What the clients of a storm do: their stacks' schedules, their applications' patience and pauses.
#include <utility>

#include "tests/perf/storm/storm.h"

namespace sallyport::storm {

using admission::Outcome;
using admission::Progress;

Slot Storm::pause(std::uint32_t c, std::uint32_t attempt) const {
  const double s = scenario_.pause.s;
  return seconds(scenario_.pause.jittered ? s * (0.5 + chance(c, attempt, Chance::kPause)) : s);
}

std::uint8_t Storm::segment_for(std::uint32_t c) const {
  if (!scenario_.high_class) return static_cast<std::uint8_t>(c / 4 % scenario_.segments);
  if (c % 10 == 0) return 0;
  return static_cast<std::uint8_t>(1 + (c / 10 * 9 + c % 10 - 1) % (scenario_.segments - 1));
}

Slot Storm::next_packet(std::uint32_t c) const {
  const Client& client = clients_[c];
  if (aggressive(c)) return client.started + client.sent * ms(100);
  const auto& offsets = schedule(scenario_.stack);
  return client.sent < offsets.size() ? client.started + offsets[client.sent] : kNever;
}

void Storm::begin_attempt(std::uint32_t c) {
  Client& client = clients_[c];
  ++client.attempt;
  client.sent = 0;
  client.started = wheel_.now();
  client.state = State::kConnecting;
  if (patience_ != kNever) late_.push_back({too_late(c), c, client.attempt});
  go_on_connecting(c);
}

void Storm::go_on_connecting(std::uint32_t c) {
  Client& client = clients_[c];
  if (wheel_.now() >= client.started + patience_) {
    give_up(c);
    return;
  }
  const Slot wanted = next_packet(c);
  ++client.sent;
  if (wanted != kNever || client.sent <= 1) send_syn(c);
  if (client.state != State::kConnecting) return;
  wheel_.at(std::min(next_packet(c), client.started + patience_), c, client.attempt,
            EventKind::kTimer);
}

void Storm::on_timer(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (attempt != client.attempt) return;
  switch (client.state) {
    case State::kOff:
    case State::kPausing:
      begin_attempt(c);
      return;
    case State::kConnecting:
      go_on_connecting(c);
      return;
    case State::kHandshaking:
      if (app_timeout_ == kNever) return;
      if (wheel_.now() < client.started + app_timeout_) {
        wheel_.at(client.started + app_timeout_, c, attempt, EventKind::kTimer);
      } else {
        wheel_.at(wheel_.now() + lan(c), c, attempt, EventKind::kLeft);
        give_up(c);
      }
      return;
    case State::kConnected:
      return;
  }
}

void Storm::give_up(std::uint32_t c) {
  Client& client = clients_[c];
  stop_waiting(c);
  leave_service(c);
  client.state = State::kPausing;
  wheel_.at(wheel_.now() + pause(c, client.attempt), c, client.attempt, EventKind::kTimer);
}

void Storm::on_syn_ack(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (!gateway_up_) return;
  const Slot now = wheel_.now();
  progress(c, attempt, Progress::kServerAnswered, 0);
  if (attempt != client.attempt || client.state != State::kConnecting) {
    // Nobody there any more: the client's stack answers with RST.
    const bool repeated = attempt == client.attempt && (client.state == State::kHandshaking ||
                                                        client.state == State::kConnected);
    if (!repeated) wheel_.at(now + lan(c), c, attempt, EventKind::kLeft);
    return;
  }
  client.state = State::kHandshaking;
  stop_waiting(c);
  if (stalls(c)) return;
  if (scenario_.policy == Policy::kHaproxy) {
    queue_.push_back({c, attempt, now + lan(c)});
    return;
  }
  if (engine_) wheel_.at(now + lan(c), c, attempt, EventKind::kAsked);
  wheel_.at(now + lan(c) + kWan, c, attempt, EventKind::kHello);
}

void Storm::on_finished(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (!gateway_up_) return;
  if (attempt != client.attempt || client.state != State::kHandshaking) return;
  client.state = State::kConnected;
  leave_service(c);
  end_credit(c, attempt, Outcome::kEstablished, client.hello);
  ++connected_;
  measure_.connected(wheel_.now());
}

void Storm::on_reset(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (attempt != client.attempt) return;
  if (client.state != State::kConnecting && client.state != State::kHandshaking) return;
  leave_service(c);
  end_credit(c, attempt, Outcome::kServerFailed, 0);
  give_up(c);
}

// The client notices that its connection is gone.
void Storm::on_notice(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (attempt != client.attempt) return;
  if (client.state == State::kConnected) {
    --connected_;
    measure_.disconnected();
  } else if (client.state != State::kHandshaking) {
    return;
  }
  give_up(c);
}

void Storm::notice_who_is_late() {
  for (; !late_.empty() && late_.front().when <= wheel_.now(); late_.pop_front()) {
    const Late& late = late_.front();
    if (clients_[late.client].attempt == late.attempt) stop_waiting(late.client);
  }
}

void Storm::stop_waiting(std::uint32_t c) {
  if (std::exchange(clients_[c].waiting, false)) measure_.wants(segment_[c], -1);
}

}  // namespace sallyport::storm
