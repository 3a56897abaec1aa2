// One end of a TCP connection, as much of RFC 9293 as it takes to send and receive bytes through a
// network that loses and reorders: handshake (also crossed), sliding windows with scaling, go-back
// retransmission, zero-window probes, keep-alives, FIN, and the challenges of RFC 5961. No clock:
// tick() is a retransmission time-out. Bytes have no values; what counts is that all of them
// arrive.
#pragma once

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "dataplane/flow/tcp_window.h"

namespace sallyport::testing {

class TcpEndpoint {
 public:
  struct Options {
    std::uint32_t first = 0;  // its initial sequence number
    std::uint32_t bytes = 0;  // that it has to send
    std::uint32_t buffer = 65535;
    std::uint8_t scale = dataplane::kNoWindowScale;
  };
  TcpEndpoint(const Options& options, std::uint32_t seed);

  void connect();
  void receive(const dataplane::TcpSegment& segment);
  // Its application reads something; it probes, keeps alive or repeats what was not acknowledged.
  void tick();
  // What it has to say since the last call.
  std::vector<dataplane::TcpSegment> take() { return std::exchange(out_, {}); }

  bool done() const { return state_ == State::kOpen && fin_acknowledged() && peer_finished_; }
  bool was_reset() const { return state_ == State::kReset; }
  // Of the other side: would receive() do anything with it but ask for what it misses?
  bool has_use_for(const dataplane::TcpSegment& segment) const;
  std::uint32_t next_expected() const { return rcv_nxt_; }
  std::uint32_t oldest_unacknowledged() const { return snd_una_; }
  std::uint32_t newest_sent() const { return snd_max_; }
  std::uint32_t greatest_window() const;

 private:
  enum class State : std::uint8_t { kListens, kAsked, kAgreed, kOpen, kReset };
  static bool before(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::int32_t>(a - b) < 0;
  }
  bool fin_acknowledged() const { return snd_una_ == end_of_all(); }
  std::uint32_t end_of_all() const { return options_.first + 1 + options_.bytes + 1; }
  std::uint8_t shift_in() const { return scaled_ ? peer_scale_ : 0; }
  std::uint8_t shift_out() const { return scaled_ ? options_.scale : 0; }
  // RFC 9293 §3.10.7.4 and RFC 5961 §5.
  bool in_window(const dataplane::TcpSegment& s) const;
  bool acknowledges_well(const dataplane::TcpSegment& s) const;
  std::uint16_t offer(bool syn);
  void say(std::uint8_t flags, std::uint32_t sequence, std::uint16_t size);
  void say_syn();
  void acknowledge() { say(dataplane::kTcpAck, snd_max_, 0); }
  void greet(const dataplane::TcpSegment& s);
  void handshake(const dataplane::TcpSegment& s);
  void take_acknowledgement(const dataplane::TcpSegment& s);
  void take_data(const dataplane::TcpSegment& s);
  void pump();

  Options options_;
  std::mt19937 random_;
  State state_ = State::kListens;
  std::vector<dataplane::TcpSegment> out_;
  std::uint32_t snd_una_, snd_nxt_, snd_max_;
  std::uint32_t snd_wnd_ = 0, snd_most_ = 0, snd_wl1_ = 0, snd_wl2_ = 0;
  std::uint32_t rcv_nxt_ = 0, rcv_edge_ = 0;
  std::uint32_t unread_ = 0;
  // What came out of order: [first, second).
  std::vector<std::pair<std::uint32_t, std::uint32_t>> early_;
  bool scaled_ = false;
  std::uint8_t peer_scale_ = 0;
  bool fin_known_ = false, peer_finished_ = false;
  std::uint32_t fin_at_ = 0;
};

}  // namespace sallyport::testing
