// One storm: clients, delays, a gateway, a server, and what happens to them. One thread, virtual
// time, repeatable by seed. The clients are in clients.cc, what stands between them and the server
// in gateway.cc, mishaps in mishaps.cc, the loop in storm.cc.
//
// A handshake's way, with its delays: SYN (client to gateway: no time) - to the server and back
// (kWan each) and on to the client (lan) - ClientHello seen by the gateway (lan) and the server
// (kWan) - the server's time - first flight (kWan, lan) - the client's computing - its last flight
// (lan): established.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "tests/perf/storm/event_wheel.h"
#include "tests/perf/storm/gate.h"
#include "tests/perf/storm/measure.h"
#include "tests/perf/storm/random.h"
#include "tests/perf/storm/scenario.h"
#include "tests/perf/storm/server.h"

namespace sallyport::storm {

inline constexpr Slot kWan = ms(5);  // gateway to server, one way
inline constexpr Slot kServerTimeout = seconds(10);
inline constexpr double kAloneS = 0.02;        // a handshake on an idle server
inline constexpr Slot kSilence = seconds(15);  // of a dead server
inline constexpr Slot kReboot = seconds(5);    // of the gateway
inline constexpr Slot kNever = 0xffffffff;
// From a turn to the end of its handshake, on an idle server and for the fastest client.
inline constexpr Slot kLeastFlight = 5 * kWan + seconds(kAloneS) + ms(30);

class Storm {
 public:
  explicit Storm(const Scenario& scenario);
  Result run();

 private:
  enum class State : std::uint8_t { kOff, kConnecting, kHandshaking, kPausing, kConnected };
  enum class ServerState : std::uint8_t { kUp, kSilent, kRefuses, kHangs };

  struct Client {
    Slot started = 0;  // of this attempt
    std::uint32_t attempt = 0;
    std::uint32_t sent = 0;  // packets of this attempt
    Slot hello = 0;          // when the server began, then how long it took
    std::uint32_t place = 0;
    std::uint32_t generation = 0;  // of the credit in flight; 0: none
    std::uint32_t credit_attempt = 0;
    bool in_service = false;  // HAProxy's
    State state = State::kOff;
    bool resumed = false;
    bool seen = false;     // since the measurement began
    bool waiting = false;  // and could still finish
  };
  // From `when` on a client that has not had its turn cannot finish before it gives up.
  struct Late {
    Slot when;
    std::uint32_t client, attempt;
  };
  struct Queued {
    std::uint32_t client, attempt;
    Slot since;
  };

  // Clients.
  double chance(std::uint32_t c, std::uint32_t attempt, Chance what) const {
    return uniform(scenario_.seed, c, attempt, what);
  }
  static Slot lan(std::uint32_t c) { return 1 + c % 4; }
  Slot compute(std::uint32_t c) const {
    return ms(30) + static_cast<Slot>(chance(c, 0, Chance::kCompute) * ms(10));
  }
  Slot pause(std::uint32_t c, std::uint32_t attempt) const;
  bool stalls(std::uint32_t c) const {
    return scenario_.stall_share > 0 && chance(c, 0, Chance::kStall) < scenario_.stall_share;
  }
  bool aggressive(std::uint32_t c) const { return scenario_.aggressive && segment_[c] == 0; }
  std::uint8_t segment_for(std::uint32_t c) const;
  Slot next_packet(std::uint32_t c) const;
  void on_timer(std::uint32_t c, std::uint32_t attempt);
  void begin_attempt(std::uint32_t c);
  void go_on_connecting(std::uint32_t c);
  void give_up(std::uint32_t c);
  void on_syn_ack(std::uint32_t c, std::uint32_t attempt);
  void on_finished(std::uint32_t c, std::uint32_t attempt);
  void on_reset(std::uint32_t c, std::uint32_t attempt);
  void on_notice(std::uint32_t c, std::uint32_t attempt);
  void stop_waiting(std::uint32_t c);
  Slot too_late(std::uint32_t c) const {
    return patience_ == kNever ? kNever : clients_[c].started + patience_ - flight_;
  }
  void notice_who_is_late();

  // Gateway and server.
  void send_syn(std::uint32_t c);
  void ask_engine(std::uint32_t c);
  void forward(std::uint32_t c);
  void tick();
  void release(const EngineGate::Release& release);
  void forget(const EngineGate::Forget& forget);
  void serve_haproxy();
  bool has_credit(std::uint32_t c, std::uint32_t attempt) const;
  void progress(std::uint32_t c, std::uint32_t attempt, admission::Progress what, Slot server_time);
  void end_credit(std::uint32_t c, std::uint32_t attempt, admission::Outcome outcome,
                  Slot server_time);
  void leave_service(std::uint32_t c);
  void on_asked(std::uint32_t c, std::uint32_t attempt);
  void on_hello(std::uint32_t c, std::uint32_t attempt);
  void on_server_hello(std::uint32_t c, std::uint32_t attempt);
  void on_left(std::uint32_t c, std::uint32_t attempt);
  void server_step();
  bool server_up() const { return server_state_ == ServerState::kUp; }

  // Mishaps.
  void mishap_begins();
  void mishap_ends();
  void lose_handshakes();
  void measure_anew();

  void fire(const Event& event);
  bool over() const;

  Scenario scenario_;
  EventWheel wheel_;
  Server server_;
  Measure measure_;
  std::vector<Client> clients_;
  std::vector<std::uint8_t> segment_;
  std::unique_ptr<EngineGate> engine_;
  std::unique_ptr<Bucket> bucket_;
  std::deque<Queued> queue_;  // HAProxy's
  std::uint32_t in_service_ = 0;
  std::uint32_t max_in_service_ = 0;
  Slot patience_ = kNever;
  Slot flight_ = kLeastFlight;  // the least that a handshake takes
  std::deque<Late> late_;       // by time
  Slot app_timeout_ = kNever;
  std::uint32_t connected_ = 0;
  std::uint32_t wanted_;  // clients that mean to connect
  Slot mishap_at_ = kNever, mishap_end_ = kNever;
  ServerState server_state_ = ServerState::kUp;
  bool gateway_up_ = true;
  std::uint64_t events_ = 0;
};

}  // namespace sallyport::storm
