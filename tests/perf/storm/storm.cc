// The storm itself: clients, delays, mishaps. One thread, virtual time, repeatable by seed. Long
// because it is one simulation whose events call each other.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <memory>
#include <utility>

#include "tests/perf/storm/gate.h"
#include "tests/perf/storm/measure.h"
#include "tests/perf/storm/random.h"
#include "tests/perf/storm/scenario.h"
#include "tests/perf/storm/server.h"

namespace sallyport::storm {

namespace {

using admission::Outcome;
using admission::Progress;
using admission::Verdict;

constexpr Slot kWan = ms(5);  // gateway to server, one way
constexpr Slot kServerTimeout = seconds(10);
constexpr double kAloneS = 0.02;             // a handshake on an idle server
constexpr Slot kSilence = seconds(15);       // of a dead server
constexpr Slot kReboot = seconds(5);         // of the gateway
constexpr Slot kQueueTimeout = seconds(60);  // HAProxy's, as distributions ship it
constexpr Slot kNever = 0xffffffff;

enum class State : std::uint8_t { kOff, kConnecting, kHandshaking, kPausing, kConnected };

struct Client {
  Slot started = 0;  // of this attempt
  std::uint32_t attempt = 0;
  std::uint32_t sent = 0;  // packets of this attempt
  Slot hello = 0;          // when the server began
  std::uint32_t place = 0;
  std::uint32_t generation = 0;  // of the credit in flight; 0: none
  std::uint32_t credit_attempt = 0;
  bool in_service = false;  // HAProxy's
  State state = State::kOff;
  bool resumed = false;
  bool seen = false;     // since the measurement began
  bool waiting = false;  // as far as the gateway can know
};

class Storm {
 public:
  explicit Storm(const Scenario& scenario);
  Result run();

 private:
  // Clients.
  double chance(std::uint32_t c, std::uint32_t attempt, Chance what) const {
    return uniform(scenario_.seed, c, attempt, what);
  }
  Slot lan(std::uint32_t c) const { return 1 + c % 4; }
  Slot compute(std::uint32_t c) const {
    return ms(30) + static_cast<Slot>(chance(c, 0, Chance::kCompute) * ms(10));
  }
  Slot pause(std::uint32_t c, std::uint32_t attempt) const {
    const double s = scenario_.pause.s;
    return seconds(scenario_.pause.jittered ? s * (0.5 + chance(c, attempt, Chance::kPause)) : s);
  }
  bool stalls(std::uint32_t c) const {
    return scenario_.stall_share > 0 && chance(c, 0, Chance::kStall) < scenario_.stall_share;
  }
  bool aggressive(std::uint32_t c) const { return scenario_.aggressive && segment_[c] == 0; }
  Slot next_packet(std::uint32_t c) const;
  void on_timer(std::uint32_t c, std::uint32_t attempt);
  void begin_attempt(std::uint32_t c);
  void give_up(std::uint32_t c);
  void send_syn(std::uint32_t c);
  void on_syn_ack(std::uint32_t c, std::uint32_t attempt);
  void on_hello(std::uint32_t c, std::uint32_t attempt);
  void on_server_hello(std::uint32_t c, std::uint32_t attempt);
  void on_finished(std::uint32_t c, std::uint32_t attempt);
  void on_reset(std::uint32_t c, std::uint32_t attempt);
  void on_left(std::uint32_t c, std::uint32_t attempt);
  void fire(const Event& event);

  // Gateway and server.
  void forward(std::uint32_t c);
  void tick();
  void serve_haproxy();
  void end_credit(std::uint32_t c, std::uint32_t attempt, Outcome outcome, Slot server_time);
  void leave_service(std::uint32_t c);
  void stop_waiting(std::uint32_t c);
  void server_step();
  void mishap_begins();
  void mishap_ends();
  void begin_measuring();
  bool server_up() const { return server_state_ == 0; }

  Scenario scenario_;
  EventWheel wheel_;
  Server server_;
  Measure measure_;
  std::vector<Client> clients_;
  std::vector<std::uint8_t> segment_;
  std::unique_ptr<EngineGate> engine_;
  std::unique_ptr<Bucket> bucket_;
  struct Queued {
    std::uint32_t client, attempt;
    Slot since;
  };
  std::deque<Queued> queue_;
  std::uint32_t in_service_ = 0;
  std::uint32_t max_in_service_ = 0;
  Slot patience_;
  Slot app_timeout_;
  std::uint32_t connected_ = 0;
  std::uint32_t wanted_;  // clients that mean to connect
  Slot mishap_at_ = kNever, mishap_end_ = kNever;
  int server_state_ = 0;  // 0 up, 1 silent, 2 refuses
  bool gateway_up_ = true;
  std::uint64_t events_ = 0;
};

Storm::Storm(const Scenario& scenario)
    : scenario_(scenario),
      wheel_(std::size_t{scenario.clients} * 3),
      server_(scenario.capacity, kAloneS, kServerTimeout),
      measure_(scenario),
      clients_(scenario.clients),
      segment_(scenario.clients),
      wanted_(scenario.clients) {
  const Slot stack = stack_gives_up(scenario_.stack);
  app_timeout_ = scenario_.app_timeout_s > 0 ? seconds(scenario_.app_timeout_s) : kNever;
  patience_ = std::min(stack, app_timeout_);
  max_in_service_ = std::max(2U, static_cast<std::uint32_t>(scenario_.capacity * 0.1 * 1.2));
  for (std::uint32_t c = 0; c < scenario_.clients; ++c) {
    segment_[c] = static_cast<std::uint8_t>(
        scenario_.high_class
            ? (c % 10 == 0 ? 0 : 1 + (c / 10 * 9 + c % 10 - 1) % (scenario_.segments - 1))
            : c / 4 % scenario_.segments);
    const Slot boot =
        1 + static_cast<Slot>(chance(c, 0, Chance::kBoot) * seconds(scenario_.spread_s));
    clients_[c].resumed = chance(c, 0, Chance::kResumed) < scenario_.resumed;
    if (stalls(c)) {
      --wanted_;
    } else {
      measure_.boot(boot, segment_[c], clients_[c].resumed);
    }
    wheel_.at(boot, c, 0, EventKind::kTimer);
  }
  if (scenario_.policy == Policy::kOurs)
    engine_ = std::make_unique<EngineGate>(scenario_, segment_, 0);
  if (scenario_.policy == Policy::kTokenBucket || scenario_.policy == Policy::kReset)
    bucket_ = std::make_unique<Bucket>(scenario_.capacity, std::max(1.0, scenario_.capacity / 10));
  if (scenario_.policy == Policy::kNftLimit)
    bucket_ = std::make_unique<Bucket>(scenario_.capacity, 5);
  measure_.set_optimum(scenario_, patience_,
                       [&](std::uint32_t c, std::uint32_t attempt) { return pause(c, attempt); });
  if (scenario_.mishap != Mishap::kNothing)
    mishap_at_ = static_cast<Slot>(scenario_.mishap_at * measure_.optimum());
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
  on_timer(c, client.attempt);
}

void Storm::on_timer(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (attempt != client.attempt) return;
  const Slot now = wheel_.now();
  switch (client.state) {
    case State::kOff:
    case State::kPausing:
      begin_attempt(c);
      return;
    case State::kConnecting: {
      if (now >= client.started + patience_) {
        give_up(c);
        return;
      }
      const Slot wanted = next_packet(c);
      ++client.sent;
      if (wanted != kNever || client.sent <= 1) send_syn(c);
      if (client.state != State::kConnecting) return;
      Slot next = aggressive(c) ? now + ms(100) : next_packet(c);
      next = std::min(next, client.started + patience_);
      wheel_.at(next, c, attempt, EventKind::kTimer);
      return;
    }
    case State::kHandshaking:
      if (app_timeout_ == kNever) return;
      if (now < client.started + app_timeout_) {
        wheel_.at(client.started + app_timeout_, c, attempt, EventKind::kTimer);
      } else {
        wheel_.at(now + lan(c), c, attempt, EventKind::kLeft);
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

void Storm::send_syn(std::uint32_t c) {
  Client& client = clients_[c];
  if (!gateway_up_) return;
  const Slot now = wheel_.now();
  measure_.syn();
  if (!std::exchange(client.waiting, true)) measure_.wants(segment_[c], 1);
  if (!client.seen) {
    client.seen = true;
    measure_.arrived(now, clients_[c].resumed, segment_[c]);
  }
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
    case Policy::kOurs: {
      admission::Arrival arrival;
      arrival.syn.source_port = static_cast<std::uint16_t>(1024 + client.attempt);
      arrival.syn.sequence = static_cast<std::uint32_t>(mix(c * 64ULL + client.attempt));
      const auto decision = engine_->arrive(c, arrival, now);
      if (decision.verdict != Verdict::kPass) return;
      client.place = decision.place;
      client.generation = engine_->generation(c, decision.place);
      client.credit_attempt = client.attempt;
      forward(c);
      return;
    }
  }
}

// The SYN reaches the server; its answer comes back. A DTLS client is answered by the gateway
// itself (HelloVerifyRequest), since Sallyport ends DTLS.
void Storm::forward(std::uint32_t c) {
  const Slot now = wheel_.now();
  Client& client = clients_[c];
  measure_.server_syn();
  if (server_state_ == 1) return;
  const bool here = scenario_.stack == Stack::kDtls && server_state_ == 0;
  const Slot there_and_back = (here ? 0 : 2 * kWan) + lan(c);
  wheel_.at(now + there_and_back, c, client.attempt,
            server_state_ == 2 ? EventKind::kReset : EventKind::kSynAck);
}

void Storm::on_syn_ack(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (!gateway_up_) return;
  if (engine_ && client.generation != 0 && client.credit_attempt == attempt)
    engine_->progress(c, client.place, client.generation, Progress::kServerAnswered, client.resumed,
                      0, wheel_.now());
  if (attempt != client.attempt || client.state != State::kConnecting) {
    // Nobody there any more: the client's stack answers with RST.
    const bool repeated = attempt == client.attempt && (client.state == State::kHandshaking ||
                                                        client.state == State::kConnected);
    if (!repeated) wheel_.at(wheel_.now() + lan(c), c, attempt, EventKind::kLeft);
    return;
  }
  client.state = State::kHandshaking;
  stop_waiting(c);
  if (stalls(c)) return;
  if (scenario_.policy == Policy::kHaproxy) {
    queue_.push_back({c, attempt, wheel_.now() + lan(c)});
    return;
  }
  wheel_.at(wheel_.now() + lan(c) + kWan, c, attempt, EventKind::kHello);
}

void Storm::on_hello(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (!gateway_up_) return;
  const Slot now = wheel_.now();
  if (!server_up()) {
    wheel_.at(now + (server_state_ == 2 ? kWan + lan(c) : seconds(1)), c, attempt,
              EventKind::kReset);
    return;
  }
  measure_.start(now, segment_[c], client.resumed);
  const bool there = attempt == client.attempt && client.state == State::kHandshaking;
  if (!there) return;
  if (engine_ && client.generation != 0 && client.credit_attempt == attempt)
    engine_->progress(c, client.place, client.generation, Progress::kClientHello, client.resumed, 0,
                      now);
  client.hello = now;
  server_.start(c, attempt, client.resumed, now);
}

void Storm::server_step() {
  const Slot now = wheel_.now();
  server_.step(
      now,
      [&](std::uint32_t c, std::uint32_t attempt, Slot started) {
        clients_[c].hello = now - started;  // from here on: how long the server took
        wheel_.at(now + kWan, c, attempt, EventKind::kServerHello);
      },
      [&](std::uint32_t c, std::uint32_t attempt) {
        measure_.failed(now);
        wheel_.at(now + kWan + lan(c), c, attempt, EventKind::kReset);
      });
}

// The server's first flight, at the gateway.
void Storm::on_server_hello(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (!gateway_up_) return;
  const Slot now = wheel_.now();
  if (engine_ && client.generation != 0 && client.credit_attempt == attempt)
    engine_->progress(c, client.place, client.generation, Progress::kServerHello, client.resumed,
                      client.hello, now);
  wheel_.at(now + 2 * lan(c) + compute(c), c, attempt, EventKind::kFinished);
}

void Storm::on_finished(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (!gateway_up_) return;
  if (attempt != client.attempt || client.state != State::kHandshaking) return;
  client.state = State::kConnected;
  leave_service(c);
  end_credit(c, attempt, Outcome::kEstablished, client.hello);
  ++connected_;
  measure_.connected(wheel_.now(), segment_[c]);
}

void Storm::stop_waiting(std::uint32_t c) {
  if (std::exchange(clients_[c].waiting, false)) measure_.wants(segment_[c], -1);
}

void Storm::leave_service(std::uint32_t c) {
  if (std::exchange(clients_[c].in_service, false)) --in_service_;
}

void Storm::end_credit(std::uint32_t c, std::uint32_t attempt, Outcome outcome, Slot server_time) {
  Client& client = clients_[c];
  if (!engine_ || client.generation == 0 || client.credit_attempt != attempt) return;
  engine_->finished(c, client.place, client.generation, outcome, client.resumed, server_time,
                    wheel_.now());
  client.generation = 0;
}

void Storm::on_reset(std::uint32_t c, std::uint32_t attempt) {
  Client& client = clients_[c];
  if (attempt != client.attempt) return;
  if (client.state != State::kConnecting && client.state != State::kHandshaking) return;
  leave_service(c);
  end_credit(c, attempt, Outcome::kServerFailed, 0);
  give_up(c);
}

// The client's reset or close, at the gateway.
void Storm::on_left(std::uint32_t c, std::uint32_t attempt) {
  if (!gateway_up_) return;
  server_.cancel(c, attempt);
  if (clients_[c].attempt == attempt) leave_service(c);
  measure_.failed(wheel_.now());
  end_credit(c, attempt, Outcome::kClientLeft, 0);
}

// HAProxy's queue at its best: clients that closed are noticed at their turn and cost nothing.
void Storm::serve_haproxy() {
  const Slot now = wheel_.now();
  while (in_service_ < max_in_service_ && !queue_.empty()) {
    const Queued next = queue_.front();
    queue_.pop_front();
    const Client& client = clients_[next.client];
    if (client.attempt != next.attempt || client.state != State::kHandshaking) continue;
    ++in_service_;
    clients_[next.client].in_service = true;
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
  const Slot now = wheel_.now();
  if (scenario_.policy == Policy::kHaproxy) serve_haproxy();
  if (!engine_) return;
  engine_->poll(
      now,
      [&](const EngineGate::Release& release) {
        Client& client = clients_[release.client];
        client.place = release.place;
        client.generation = release.generation;
        client.credit_attempt = client.attempt;
        if (client.state == State::kConnecting) {
          forward(release.client);
        } else if (server_state_ != 1) {
          // The engine thought that it still waits: a SYN and a RST for nothing.
          measure_.server_syn();
          wheel_.at(now + 2 * kWan + lan(release.client), release.client, client.attempt,
                    EventKind::kSynAck);
        }
      },
      [&](const EngineGate::Forget& forget) {
        Client& client = clients_[forget.client];
        client.generation = 0;
        if (client.state == State::kHandshaking)
          wheel_.at(now + seconds(1), forget.client, client.attempt, EventKind::kReset);
      });
}

void Storm::mishap_begins() {
  const Slot now = wheel_.now();
  switch (scenario_.mishap) {
    case Mishap::kNothing:
      return;
    case Mishap::kSlowdown:
      server_.set_capacity(scenario_.capacity / 4, kAloneS);
      measure_.capacity_changes(now, scenario_.capacity / 4);
      return;
    case Mishap::kSlowMachine:
      server_.set_capacity(scenario_.capacity / 4, kAloneS * 4);
      measure_.capacity_changes(now, scenario_.capacity / 4);
      return;
    case Mishap::kServerSilent:
    case Mishap::kServerRefuses:
      server_state_ = scenario_.mishap == Mishap::kServerSilent ? 1 : 2;
      mishap_end_ = now + kSilence;
      break;
    case Mishap::kGatewayReboot:
      gateway_up_ = false;
      engine_.reset();
      mishap_end_ = now + kReboot;
      break;
  }
  // Every handshake dies. A server's sessions outlive it (they are the backend's); the gateway's do
  // not.
  server_.lose_all();
  queue_.clear();
  in_service_ = 0;
  for (std::uint32_t c = 0; c < scenario_.clients; ++c) {
    Client& client = clients_[c];
    if (scenario_.mishap == Mishap::kServerSilent || scenario_.mishap == Mishap::kServerRefuses) {
      if (client.state == State::kHandshaking)
        wheel_.at(server_state_ == 2 ? now + kWan : mishap_end_ + kWan, c, client.attempt,
                  EventKind::kReset);
      continue;
    }
    client.generation = 0;
    client.in_service = false;
    if (client.state == State::kHandshaking || client.state == State::kConnected) {
      // Its next packet after the return is of no known flow: reset (design.md, section 4).
      const double within = client.state == State::kConnected ? 10 : 2;
      wheel_.at(mishap_end_ + 1 +
                    static_cast<Slot>(chance(c, client.attempt, Chance::kNotice) * seconds(within)),
                c, client.attempt, EventKind::kNotice);
    }
  }
}

void Storm::mishap_ends() {
  const Slot now = wheel_.now();
  server_state_ = 0;
  if (!gateway_up_) {
    gateway_up_ = true;
    if (scenario_.policy == Policy::kOurs)
      engine_ = std::make_unique<EngineGate>(scenario_, segment_, now);
  }
  // From here on everything is measured anew: who is not connected arrives when first seen.
  measure_.restart(now);
  for (std::uint32_t c = 0; c < scenario_.clients; ++c) {
    Client& client = clients_[c];
    const bool lost = scenario_.mishap == Mishap::kGatewayReboot;
    if (lost) stop_waiting(c);
    client.seen = client.state == State::kConnected && !lost;
    if (client.seen) continue;
    // A SYN that the gateway holds is there at once; after its own return it must see one first.
    if (!lost && client.state == State::kConnecting) {
      client.seen = true;
      measure_.arrived(now, client.resumed, segment_[c]);
    }
  }
}

void Storm::fire(const Event& event) {
  ++events_;
  const std::uint32_t c = event.client;
  switch (static_cast<EventKind>(event.kind)) {
    case EventKind::kTimer:
      return on_timer(c, event.attempt);
    case EventKind::kSynAck:
      return on_syn_ack(c, event.attempt);
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
    case EventKind::kNotice: {
      Client& client = clients_[c];
      if (event.attempt != client.attempt) return;
      if (client.state == State::kConnected) {
        --connected_;
        measure_.disconnected();
      } else if (client.state != State::kHandshaking) {
        return;
      }
      give_up(c);
      return;
    }
  }
}

Result Storm::run() {
  const auto wall = std::chrono::steady_clock::now();
  const auto horizon = static_cast<Slot>(scenario_.horizon * measure_.optimum()) +
                       (mishap_at_ == kNever ? 0 : seconds(120));
  while (wheel_.now() < horizon) {
    const Slot next = wheel_.now() + 1;
    if (next == mishap_at_) mishap_begins();
    if (next == mishap_end_) mishap_ends();
    wheel_.advance([&](const Event& event) { fire(event); });
    if (server_up()) server_step();
    if (wheel_.now() % kSlotsPerMs == 0) tick();
    if (wheel_.now() % ms(100) == 0) measure_.sample(wheel_.now());
    const bool over = connected_ == wanted_ && wheel_.now() > measure_.begin() &&
                      (mishap_end_ == kNever || wheel_.now() > mishap_end_ + seconds(12));
    if (over && (mishap_at_ == kNever || wheel_.now() > mishap_at_)) break;
  }
  Result result = measure_.result(scenario_, wheel_.now());
  result.events = events_;
  if (engine_) result.allocations = engine_->engine_allocations();
  result.wall_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
  return result;
}

}  // namespace

Result run(const Scenario& scenario) { return Storm(scenario).run(); }

}  // namespace sallyport::storm
