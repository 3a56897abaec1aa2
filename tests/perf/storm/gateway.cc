// What stands between a storm's clients and their server: one of the policies, and the server.
#include <utility>

#include "tests/perf/storm/storm.h"

namespace sallyport::storm {

using admission::Outcome;
using admission::Progress;
using admission::Verdict;

namespace {
constexpr Slot kQueueTimeout = seconds(60);  // HAProxy's, as distributions ship it
}

void Storm::send_syn(std::uint32_t c) {
  Client& client = clients_[c];
  if (!gateway_up_) return;
  const Slot now = wheel_.now();
  measure_.syn();
  if (now < too_late(c) && !std::exchange(client.waiting, true)) measure_.wants(segment_[c], 1);
  if (!std::exchange(client.seen, true)) measure_.arrived(now, client.resumed, segment_[c]);
  switch (scenario_.policy) {
    case Policy::kNone:
    case Policy::kSynCookies:
      forward(c);
      return;
    case Policy::kTokenBucket:
    case Policy::kNftLimit:
      if (bucket_->take(now)) forward(c);
      return;
    case Policy::kReset:
      if (bucket_->take(now)) {
        forward(c);
      } else {
        wheel_.at(now + 2 * lan(c), c, client.attempt, EventKind::kReset);
      }
      return;
    case Policy::kHaproxy:
      wheel_.at(now + 2 * lan(c), c, client.attempt, EventKind::kSynAck);
      return;
    case Policy::kOurs:
      ask_engine(c);
      return;
  }
}

void Storm::ask_engine(std::uint32_t c) {
  Client& client = clients_[c];
  admission::Arrival arrival;
  arrival.syn.source_port = static_cast<std::uint16_t>(1024 + client.attempt);
  arrival.syn.sequence = static_cast<std::uint32_t>(mix(c * 64ULL + client.attempt));
  const auto decision = engine_->arrive(c, arrival, wheel_.now());
  if (decision.verdict != Verdict::kPass) return;
  client.place = decision.place;
  client.generation = engine_->generation(c, decision.place);
  client.credit_attempt = client.attempt;
  forward(c);
}

// The SYN reaches the server; its answer comes back. A DTLS client is answered by the gateway
// itself (HelloVerifyRequest), since Sallyport ends DTLS.
void Storm::forward(std::uint32_t c) {
  const Slot now = wheel_.now();
  measure_.server_syn();
  if (server_state_ == ServerState::kSilent) return;
  const bool here =
      scenario_.stack == Stack::kDtls && (server_up() || server_state_ == ServerState::kHangs);
  const Slot there_and_back = (here ? 0 : 2 * kWan) + lan(c);
  wheel_.at(now + there_and_back, c, clients_[c].attempt,
            server_state_ == ServerState::kRefuses ? EventKind::kReset : EventKind::kSynAck);
}

// The ClientHello at the gateway.
void Storm::on_asked(std::uint32_t c, std::uint32_t attempt) {
  if (!gateway_up_ || !has_credit(c, attempt)) return;
  engine_->asks(c, clients_[c].place, clients_[c].generation, clients_[c].resumed);
  progress(c, attempt, Progress::kClientHello, 0);
}

void Storm::on_hello(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (!gateway_up_) return;
  const Slot now = wheel_.now();
  if (!server_up()) {
    // What hangs resets its connections when it is started again.
    const Slot later = server_state_ == ServerState::kRefuses ? kWan + lan(c)
                       : server_state_ == ServerState::kHangs ? mishap_end_ + kWan - now
                                                              : seconds(1);
    wheel_.at(now + later, c, attempt, EventKind::kReset);
    return;
  }
  measure_.start(now, segment_[c], client.resumed);
  if (attempt != client.attempt || client.state != State::kHandshaking) return;
  client.hello = now;
  server_.start(c, attempt, client.resumed, now);
}

void Storm::server_step() {
  const Slot now = wheel_.now();
  server_.step(
      now,
      [&](std::uint32_t c, std::uint32_t attempt, Slot started) {
        clients_[c].hello = now - started;
        wheel_.at(now + kWan, c, attempt, EventKind::kServerHello);
      },
      [&](std::uint32_t c, std::uint32_t attempt) {
        measure_.failed();
        wheel_.at(now + kWan + lan(c), c, attempt, EventKind::kReset);
      });
}

// The server's first flight, at the gateway.
void Storm::on_server_hello(std::uint32_t c, std::uint32_t attempt) {
  if (!gateway_up_) return;
  progress(c, attempt, Progress::kServerHello, clients_[c].hello);
  wheel_.at(wheel_.now() + 2 * lan(c) + compute(c), c, attempt, EventKind::kFinished);
}

// The client's reset or close, at the gateway.
void Storm::on_left(std::uint32_t c, std::uint32_t attempt) {
  if (!gateway_up_) return;
  server_.cancel(c, attempt);
  if (clients_[c].attempt == attempt) leave_service(c);
  measure_.failed();
  end_credit(c, attempt, Outcome::kClientLeft, 0);
}

bool Storm::has_credit(std::uint32_t c, std::uint32_t attempt) const {
  const Client& client = clients_[c];
  return engine_ && client.generation != 0 && client.credit_attempt == attempt;
}

void Storm::progress(std::uint32_t c, std::uint32_t attempt, Progress what, Slot server_time) {
  if (!has_credit(c, attempt)) return;
  const Client& client = clients_[c];
  engine_->progress(c, client.place, client.generation, what, client.resumed, server_time,
                    wheel_.now());
}

void Storm::end_credit(std::uint32_t c, std::uint32_t attempt, Outcome outcome, Slot server_time) {
  if (!has_credit(c, attempt)) return;
  Client& client = clients_[c];
  engine_->finished(c, client.place, client.generation, outcome, client.resumed, server_time,
                    wheel_.now());
  client.generation = 0;
}

void Storm::leave_service(std::uint32_t c) {
  if (std::exchange(clients_[c].in_service, false)) --in_service_;
}

// HAProxy's queue at its best: clients that closed are noticed at their turn and cost nothing.
void Storm::serve_haproxy() {
  const Slot now = wheel_.now();
  while (in_service_ < max_in_service_ && !queue_.empty()) {
    const Queued next = queue_.front();
    queue_.pop_front();
    Client& client = clients_[next.client];
    if (client.attempt != next.attempt || client.state != State::kHandshaking) continue;
    ++in_service_;
    client.in_service = true;
    if (now - next.since > kQueueTimeout) {
      wheel_.at(now + lan(next.client), next.client, next.attempt, EventKind::kReset);
    } else {
      measure_.server_syn();
      wheel_.at(now + 3 * kWan, next.client, next.attempt, EventKind::kHello);
    }
  }
}

void Storm::tick() {
  if (!gateway_up_) return;
  if (scenario_.policy == Policy::kHaproxy) serve_haproxy();
  if (!engine_) return;
  engine_->poll(
      wheel_.now(), [&](const EngineGate::Release& r) { release(r); },
      [&](const EngineGate::Forget& f) { forget(f); });
}

void Storm::release(const EngineGate::Release& release) {
  Client& client = clients_[release.client];
  client.place = release.place;
  client.generation = release.generation;
  client.credit_attempt = client.attempt;
  if (client.state == State::kConnecting) {
    forward(release.client);
  } else if (server_state_ != ServerState::kSilent) {
    // The engine thought that it still waits: a SYN and a RST for nothing.
    measure_.server_syn();
    wheel_.at(wheel_.now() + 2 * kWan + lan(release.client), release.client, client.attempt,
              EventKind::kSynAck);
  }
}

void Storm::forget(const EngineGate::Forget& forget) {
  Client& client = clients_[forget.client];
  client.generation = 0;
  if (client.state == State::kHandshaking)
    wheel_.at(wheel_.now() + seconds(1), forget.client, client.attempt, EventKind::kReset);
}

}  // namespace sallyport::storm
