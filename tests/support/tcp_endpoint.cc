#include "tests/support/tcp_endpoint.h"

#include <algorithm>
#include <utility>

namespace sallyport::testing {
namespace {

using dataplane::kNoWindowScale;
using dataplane::kTcpAck;
using dataplane::kTcpFin;
using dataplane::kTcpRst;
using dataplane::kTcpSyn;
using dataplane::TcpSegment;

constexpr std::uint32_t kMostInOne = 1460;

bool has(const TcpSegment& s, unsigned flag) { return (s.flags & flag) != 0; }

}  // namespace

TcpEndpoint::TcpEndpoint(const Options& options, std::uint32_t seed)
    : options_(options),
      random_(seed),
      snd_una_(options.first),
      snd_nxt_(options.first),
      snd_max_(options.first) {}

std::uint32_t TcpEndpoint::greatest_window() const {
  const std::uint32_t unit = 1U << (scaled_ ? options_.scale : 0);
  return std::min<std::uint32_t>(options_.buffer, 65535 * unit) + unit;
}

// Never takes back what it offered (RFC 9293 §3.8.6.2.2).
std::uint16_t TcpEndpoint::offer(bool syn) {
  const std::uint8_t shift = syn ? 0 : shift_out();
  const std::uint32_t room = options_.buffer - std::min(unread_, options_.buffer);
  std::uint32_t window = std::min<std::uint32_t>(room >> shift, 65535);
  if (before(rcv_nxt_ + (window << shift), rcv_edge_)) {
    const std::uint32_t promised = rcv_edge_ - rcv_nxt_;
    window = std::min<std::uint32_t>((promised + (1U << shift) - 1) >> shift, 65535);
  }
  if (before(rcv_edge_, rcv_nxt_ + (window << shift))) rcv_edge_ = rcv_nxt_ + (window << shift);
  return static_cast<std::uint16_t>(window);
}

void TcpEndpoint::say(std::uint8_t flags, std::uint32_t sequence, std::uint16_t size) {
  TcpSegment s{.sequence = sequence, .size = size, .flags = flags};
  if (has(s, kTcpAck)) s.acknowledgement = rcv_nxt_;
  s.window = offer(has(s, kTcpSyn));
  out_.push_back(s);
  const std::uint32_t stop =
      sequence + size + (has(s, kTcpSyn) ? 1 : 0) + (has(s, kTcpFin) ? 1 : 0);
  if (before(snd_max_, stop)) snd_max_ = stop;
}

void TcpEndpoint::say_syn() {
  const bool answers = state_ == State::kAgreed;
  say(static_cast<std::uint8_t>(kTcpSyn | (answers ? kTcpAck : 0)), options_.first, 0);
  out_.back().scale = answers && !scaled_ ? kNoWindowScale : options_.scale;
  snd_nxt_ = options_.first + 1;
}

void TcpEndpoint::connect() {
  state_ = State::kAsked;
  say_syn();
}

// The other side's SYN.
void TcpEndpoint::greet(const TcpSegment& s) {
  rcv_nxt_ = s.sequence + 1;
  rcv_edge_ = rcv_nxt_;
  peer_scale_ = s.scale;
  scaled_ = s.scale != kNoWindowScale && options_.scale != kNoWindowScale;
  snd_wnd_ = s.window;
  snd_most_ = std::max(snd_most_, snd_wnd_);
  snd_wl1_ = s.sequence;
  snd_wl2_ = s.acknowledgement;
}

// RFC 9293 §3.10.7.2 and .3.
void TcpEndpoint::handshake(const TcpSegment& s) {
  const bool asked = state_ == State::kAsked;
  if (asked && has(s, kTcpAck) && s.acknowledgement != options_.first + 1) {
    if (!has(s, kTcpRst)) out_.push_back({.sequence = s.acknowledgement, .flags = kTcpRst});
    return;
  }
  if (has(s, kTcpRst)) {
    if (asked && has(s, kTcpAck)) state_ = State::kReset;
    return;
  }
  if (!has(s, kTcpSyn) || (!asked && has(s, kTcpAck))) return;
  greet(s);
  state_ = asked && has(s, kTcpAck) ? State::kOpen : State::kAgreed;
  if (state_ == State::kAgreed) return say_syn();
  snd_una_ = s.acknowledgement;
  acknowledge();
  pump();
}

bool TcpEndpoint::in_window(const TcpSegment& s) const {
  const std::uint32_t length = s.size + (has(s, kTcpFin) ? 1U : 0U);
  const std::uint32_t stop = s.sequence + length;
  return !before(stop, rcv_nxt_) && (length == 0 || stop != rcv_nxt_) &&
         !before(rcv_edge_, s.sequence);
}

bool TcpEndpoint::acknowledges_well(const TcpSegment& s) const {
  return !before(snd_max_, s.acknowledgement) && !before(s.acknowledgement, snd_una_ - snd_most_);
}

void TcpEndpoint::receive(const TcpSegment& s) {
  if (state_ == State::kReset) return;
  if (state_ == State::kListens || state_ == State::kAsked) return handshake(s);
  const std::uint32_t length = s.size + (has(s, kTcpFin) ? 1U : 0U);
  if (has(s, kTcpRst)) {
    if (s.sequence == rcv_nxt_) {
      state_ = State::kReset;
    } else if (s.sequence - rcv_nxt_ < rcv_edge_ - rcv_nxt_) {
      acknowledge();
    }
    return;
  }
  if (has(s, kTcpSyn)) {
    const bool agrees = has(s, kTcpAck) && s.acknowledgement == options_.first + 1;
    if (state_ == State::kAgreed && !agrees && s.sequence + 1 == rcv_nxt_) return say_syn();
    if (state_ != State::kAgreed || !agrees || s.sequence + 1 != rcv_nxt_) return acknowledge();
  } else if (!in_window(s)) {
    return acknowledge();
  }
  if (!acknowledges_well(s)) return acknowledge();
  take_acknowledgement(s);
  if (length != 0) take_data(s);
  pump();
}

void TcpEndpoint::take_acknowledgement(const TcpSegment& s) {
  if (state_ == State::kAgreed && before(options_.first, s.acknowledgement)) state_ = State::kOpen;
  if (before(snd_una_, s.acknowledgement)) snd_una_ = s.acknowledgement;
  if (before(snd_nxt_, snd_una_)) snd_nxt_ = snd_una_;
  if (before(s.acknowledgement, snd_una_)) return;
  if (before(s.sequence, snd_wl1_) ||
      (s.sequence == snd_wl1_ && before(s.acknowledgement, snd_wl2_)))
    return;
  snd_wnd_ = has(s, kTcpSyn) ? s.window : std::uint32_t{s.window} << shift_in();
  snd_most_ = std::max(snd_most_, snd_wnd_);
  snd_wl1_ = s.sequence;
  snd_wl2_ = s.acknowledgement;
}

void TcpEndpoint::take_data(const TcpSegment& s) {
  std::uint32_t stop = s.sequence + s.size;
  if (has(s, kTcpFin)) {
    fin_known_ = true;
    fin_at_ = stop;
  }
  if (before(rcv_edge_, stop)) stop = rcv_edge_;
  if (before(s.sequence, stop)) early_.emplace_back(s.sequence, stop);
  const std::uint32_t was = rcv_nxt_;
  for (bool more = true; std::exchange(more, false);)
    for (const auto& [first, last] : early_)
      if (!before(rcv_nxt_, first) && before(rcv_nxt_, last)) {
        rcv_nxt_ = last;
        more = true;
      }
  std::erase_if(early_, [this](const auto& piece) { return !before(rcv_nxt_, piece.second); });
  unread_ += rcv_nxt_ - was;
  if (fin_known_ && rcv_nxt_ == fin_at_ && !peer_finished_) {
    peer_finished_ = true;
    ++rcv_nxt_;
    if (before(rcv_edge_, rcv_nxt_)) rcv_edge_ = rcv_nxt_;
  }
  acknowledge();
}

// What the window allows; the FIN needs no room in it.
void TcpEndpoint::pump() {
  if (state_ != State::kOpen) return;
  const std::uint32_t data_end = end_of_all() - 1;
  while (before(snd_nxt_, data_end)) {
    const std::uint32_t edge = snd_una_ + snd_wnd_;
    if (!before(snd_nxt_, edge)) return;
    const std::uint32_t size = std::min({data_end - snd_nxt_, edge - snd_nxt_, kMostInOne});
    say(kTcpAck, snd_nxt_, static_cast<std::uint16_t>(size));
    snd_nxt_ += size;
  }
  if (snd_nxt_ != data_end) return;
  say(kTcpFin | kTcpAck, snd_nxt_, 0);
  ++snd_nxt_;
}

void TcpEndpoint::tick() {
  if (state_ == State::kReset || state_ == State::kListens) return;
  if (state_ == State::kAsked || state_ == State::kAgreed) return say_syn();
  unread_ -= std::uniform_int_distribution<std::uint32_t>(0, unread_)(random_);
  if (fin_acknowledged() && peer_finished_) return;
  const std::uint32_t data_end = end_of_all() - 1;
  if (snd_una_ != snd_max_) {
    snd_nxt_ = snd_una_;
    if (snd_wnd_ == 0 && before(snd_una_, data_end)) {
      say(kTcpAck, snd_una_, 1);  // the probe again
    } else {
      pump();
    }
  } else if (before(snd_una_, data_end) && snd_wnd_ == 0) {
    say(kTcpAck, snd_una_, 1);
  } else {
    say(kTcpAck, snd_max_ - 1, 0);  // keep-alive, RFC 9293 §3.8.4
  }
  acknowledge();
}

bool TcpEndpoint::has_use_for(const TcpSegment& s) const {
  if (state_ == State::kListens || state_ == State::kAsked) return true;
  const std::uint32_t stop = s.sequence + s.size + (has(s, kTcpFin) ? 1 : 0);
  return in_window(s) && acknowledges_well(s) &&
         (before(rcv_nxt_, stop) || !before(s.acknowledgement, snd_una_));
}

}  // namespace sallyport::testing
