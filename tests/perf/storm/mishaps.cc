// What happens to a storm's server or gateway on the way.
#include "tests/perf/storm/storm.h"

namespace sallyport::storm {

void Storm::mishap_begins() {
  const Slot now = wheel_.now();
  const double quarter = scenario_.capacity / 4;
  switch (scenario_.mishap) {
    case Mishap::kNothing:
      return;
    case Mishap::kSlowdown:
      server_.set_capacity(quarter, kAloneS);
      measure_.capacity_changes(now, quarter);
      return;
    case Mishap::kSlowMachine:
      server_.set_capacity(quarter, kAloneS * 4);
      flight_ += seconds(kAloneS * 3);
      measure_.capacity_changes(now, quarter);
      return;
    case Mishap::kServerSilent:
      server_state_ = ServerState::kSilent;
      mishap_end_ = now + kSilence;
      break;
    case Mishap::kServerRefuses:
      server_state_ = ServerState::kRefuses;
      mishap_end_ = now + kSilence;
      break;
    case Mishap::kServerHangs:
      server_state_ = ServerState::kHangs;
      mishap_end_ = now + kSilence;
      break;
    case Mishap::kGatewayReboot:
      gateway_up_ = false;
      engine_.reset();
      mishap_end_ = now + kReboot;
      break;
  }
  measure_.outage();
  lose_handshakes();
}

// A server's sessions outlive it (they are the backend's); those through the gateway do not outlive
// the gateway: their next packet after its return is of no known flow and reset (design: packet
// path).
void Storm::lose_handshakes() {
  const Slot now = wheel_.now();
  server_.lose_all();
  queue_.clear();
  in_service_ = 0;
  for (std::uint32_t c = 0; c < scenario_.clients; ++c) {
    Client& client = clients_[c];
    if (scenario_.mishap != Mishap::kGatewayReboot) {
      if (client.state == State::kHandshaking)
        wheel_.at(server_state_ == ServerState::kRefuses ? now + kWan : mishap_end_ + kWan, c,
                  client.attempt, EventKind::kReset);
      continue;
    }
    client.generation = 0;
    client.in_service = false;
    if (client.state == State::kHandshaking || client.state == State::kConnected) {
      const double within = client.state == State::kConnected ? 10 : 2;
      wheel_.at(mishap_end_ + 1 +
                    static_cast<Slot>(chance(c, client.attempt, Chance::kNotice) * seconds(within)),
                c, client.attempt, EventKind::kNotice);
    }
  }
}

void Storm::mishap_ends() {
  server_state_ = ServerState::kUp;
  if (!gateway_up_) {
    gateway_up_ = true;
    if (scenario_.policy == Policy::kOurs)
      engine_ = std::make_unique<EngineGate>(scenario_, segment_, wheel_.now());
  }
  measure_anew();
}

// From here on: who is not connected arrives when first seen. A SYN that the gateway holds is there
// at once; after its own return it must see one first.
void Storm::measure_anew() {
  const Slot now = wheel_.now();
  const bool lost = scenario_.mishap == Mishap::kGatewayReboot;
  measure_.restart(now);
  for (std::uint32_t c = 0; c < scenario_.clients; ++c) {
    Client& client = clients_[c];
    if (lost) stop_waiting(c);
    client.seen = !lost && client.state == State::kConnected;
    if (client.seen || lost || client.state != State::kConnecting) continue;
    client.seen = true;
    measure_.arrived(now, client.resumed, segment_[c]);
  }
}

}  // namespace sallyport::storm
