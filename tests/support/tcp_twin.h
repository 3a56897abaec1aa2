// The sequence windows of one TCP flow, obviously correct and slow: everything that was forwarded
// is kept, with numbers that do not wrap, and each bound is looked for among all of it. What
// dataplane/flow/tcp_window.h must agree with. The state table is the same one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "dataplane/flow/tcp_window.h"

namespace sallyport::testing {

class TcpTwin {
 public:
  explicit TcpTwin(const dataplane::TcpSegment& syn) { open(syn); }

  dataplane::TcpState state() const { return state_; }

  dataplane::TcpVerdict advance(const dataplane::TcpSegment& s, dataplane::Direction from) {
    using enum dataplane::TcpAction;
    using Verdict = dataplane::TcpVerdict;
    const auto side = static_cast<std::size_t>(from);
    const auto [action, next] =
        dataplane::tcp_next(state_, dataplane::tcp_event(s.flags, side == 0));
    switch (action) {
      case kRefuse:
        return Verdict::kBadState;
      case kReopen:
        return Verdict::kReopen;
      case kReopenIfNew:
        return late_copy(s, side) ? Verdict::kForwardAlone : Verdict::kReopen;
      case kCarry:
        return Verdict::kForwardAlone;
      case kQuestion:
        return s.size == 0 ? Verdict::kForwardAlone : Verdict::kBadState;
      case kAskAnew:
        if (late_copy(s, side)) return Verdict::kForwardAlone;
        forget();
        asked_ = s.sequence + 1;
        break;
      case kBegin:
        if (has(s, dataplane::kTcpAck) && !agrees(s, side)) return Verdict::kBadWindow;
        if (side == 0 && !has(s, dataplane::kTcpAck)) {
          open(s);
        } else {
          answer(s, side);
        }
        break;
      case kRefusal:
        if (!agrees(s, side)) return Verdict::kBadWindow;
        break;
      case kReset:
        if (s.sequence == static_cast<std::uint32_t>(end(side)) ||
            s.sequence == static_cast<std::uint32_t>(acknowledged(side)))
          break;
        return data_fits(at(side, s.sequence), side) ? Verdict::kForwardDoubtful
                                                     : Verdict::kBadWindow;
      case kAnswer:
        if (s.acknowledgement - asked_ <= dataplane::kMtu &&
            !data_fits(at(side, s.sequence + 1), side) && !acknowledgement_fits(s, side)) {
          state_ = dataplane::TcpState::kClosed;
          return Verdict::kBadState;
        }
        [[fallthrough]];
      case kPass:
        if (!pass(s, side)) return Verdict::kBadWindow;
    }
    state_ = next;
    return Verdict::kForward;
  }

 private:
  // What one forwarded segment of `side` says: what it sent, what it offers (in bytes), and what of
  // the other side's it asks for next.
  struct Fact {
    std::size_t side;
    std::int64_t stop;
    std::int64_t offer;
    std::int64_t asks;
  };

  static bool has(const dataplane::TcpSegment& s, unsigned flags) { return (s.flags & flags) != 0; }
  static std::int64_t at_least_one(std::int64_t window) {
    return std::max<std::int64_t>(window, 1);
  }
  static std::int64_t wide(std::uint32_t number) { return (std::int64_t{1} << 40) + number; }
  template <class Member>
  std::int64_t greatest(std::size_t side, Member member) const {
    std::int64_t out = INT64_MIN;
    for (const Fact& fact : facts_)
      if (fact.side == side) out = std::max(out, fact.*member);
    return out;
  }
  std::int64_t end(std::size_t side) const { return greatest(side, &Fact::stop); }
  std::int64_t reach(std::size_t side) const { return greatest(side, &Fact::offer); }
  std::int64_t acknowledged(std::size_t side) const {
    return waits_for_answer() && side == 0 ? end(0) : greatest(1 - side, &Fact::asks);
  }
  bool waits_for_answer() const { return state_ == dataplane::TcpState::kAskedAnew; }
  // The number as one that does not wrap: the one nearest to what this side sent last.
  std::int64_t at(std::size_t side, std::uint32_t number) const {
    return end(side) + static_cast<std::int32_t>(number - static_cast<std::uint32_t>(end(side)));
  }
  bool agrees(const dataplane::TcpSegment& s, std::size_t side) const {
    const std::int64_t asks = at(1 - side, s.acknowledgement);
    return has(s, dataplane::kTcpAck) && asks >= acknowledged(1 - side) && asks <= end(1 - side);
  }
  std::int64_t in_units(std::int64_t window, std::size_t side) const {
    const std::int64_t unit = std::int64_t{1} << shift_[side];
    return at_least_one((window + unit - 1) / unit) * unit;
  }

  void open(const dataplane::TcpSegment& syn) {
    const std::int64_t begin = wide(syn.sequence) + 1;
    const bool again = !facts_.empty() && acknowledged(0) == begin;
    const std::int64_t stop = std::max(begin + syn.size, again ? end(0) : 0);
    facts_ = {{0, stop, at_least_one(syn.window), wide(0)}, {1, wide(0), 1, begin}};
    scale_[0] = syn.scale;
    shift_[0] = shift_[1] = 0;
  }

  void answer(const dataplane::TcpSegment& s, std::size_t side) {
    const std::size_t peer = 1 - side;
    scale_[side] = s.scale;
    const std::int64_t offered = std::min<std::int64_t>(reach(peer), 65535);
    const std::int64_t sent = end(peer);
    const bool scaled =
        scale_[0] != dataplane::kNoWindowScale && scale_[1] != dataplane::kNoWindowScale;
    for (const std::size_t one : {side, peer}) shift_[one] = scaled ? scale_[one] : 0;
    const std::int64_t begin = wide(s.sequence) + 1;
    const std::int64_t asks =
        has(s, dataplane::kTcpAck) ? at(peer, s.acknowledgement) : acknowledged(peer);
    facts_ = {{peer, sent, in_units(offered, peer), begin},
              {side, begin + s.size, in_units(s.window, side), asks}};
  }

  bool late_copy(const dataplane::TcpSegment& s, std::size_t side) const {
    const std::int64_t begin = at(side, s.sequence + 1);
    return begin <= end(side) && begin >= end(side) - reach(1 - side) - 1;
  }
  bool data_fits(std::int64_t stop, std::size_t side) const {
    const std::int64_t window = reach(1 - side);
    return stop <= acknowledged(side) + window + 1 && stop >= end(side) - window - 1;
  }
  bool acknowledgement_fits(const dataplane::TcpSegment& s, std::size_t side) const {
    const std::int64_t asks = at(1 - side, s.acknowledgement);
    const std::int64_t oldest =
        std::clamp<std::int64_t>(2 * reach(side), 66'000, std::int64_t{1} << 30);
    return asks <= end(1 - side) && asks >= end(1 - side) - oldest;
  }
  bool pass(const dataplane::TcpSegment& s, std::size_t side) {
    const bool syn = has(s, dataplane::kTcpSyn);
    const bool longer = has(s, dataplane::kTcpSyn | dataplane::kTcpFin);
    const std::int64_t stop = at(side, s.sequence + s.size + (longer ? 1 : 0));
    if (!data_fits(stop, side)) return false;
    if (has(s, dataplane::kTcpAck) && !acknowledgement_fits(s, side)) return false;
    if (syn) return true;
    facts_.push_back(
        {side, stop, at_least_one(s.window) << shift_[side], at(1 - side, s.acknowledgement)});
    return true;
  }
  // The product forgets what was acknowledged while it waits, and is no stricter afterwards.
  void forget() { facts_.push_back({1, end(1), reach(1), end(0)}); }

  dataplane::TcpState state_ = dataplane::TcpState::kSynSent;
  std::vector<Fact> facts_;
  std::uint8_t scale_[2] = {dataplane::kNoWindowScale, dataplane::kNoWindowScale};
  std::uint8_t shift_[2] = {0, 0};
  std::uint32_t asked_ = 0;
};

}  // namespace sallyport::testing
