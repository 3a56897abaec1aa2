// Two endpoints, a network, and the gateway between them: what a correct pair sends passes,
// whatever the network does to it; what a stranger invents outside their windows does not.
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <optional>
#include <random>

#include "tests/support/tcp_endpoint.h"

namespace sallyport::testing {
namespace {

using namespace dataplane;  // NOLINT(google-build-using-namespace): one folder's tests

struct Network {
  const char* name;
  unsigned loss_percent;
  unsigned copies_percent;
  unsigned delay;  // at most so many rounds on each of its two halves
};

class Wire {
 public:
  Wire(const Network& network, std::mt19937& random) : network_(network), random_(random) {}
  void put(const TcpSegment& segment, unsigned now) {
    if (random_() % 100 < network_.loss_percent) return;
    const unsigned copies = random_() % 100 < network_.copies_percent ? 2 : 1;
    for (unsigned i = 0; i < copies; ++i)
      waiting_.push_back(
          {now + 1 + (network_.delay == 0 ? 0 : random_() % network_.delay), segment});
  }
  std::vector<TcpSegment> due(unsigned now) {
    std::vector<TcpSegment> out;
    std::erase_if(waiting_, [&](const auto& one) {
      if (one.first > now) return false;
      out.push_back(one.second);
      return true;
    });
    return out;
  }
  bool empty() const { return waiting_.empty(); }

 private:
  const Network& network_;
  std::mt19937& random_;
  std::deque<std::pair<unsigned, TcpSegment>> waiting_;
};

class Connection {
 public:
  Connection(const Network& network, unsigned seed, bool crossed)
      : random_(seed),
        sizes_{static_cast<unsigned>(9 + random_() % 12),
               static_cast<unsigned>(9 + random_() % 12)},
        ends_{TcpEndpoint(options(0), static_cast<std::uint32_t>(random_())),
              TcpEndpoint(options(1), static_cast<std::uint32_t>(random_()))},
        in_{Wire(network, random_), Wire(network, random_)},
        out_{Wire(network, random_), Wire(network, random_)},
        network_(network) {
    ends_[0].connect();
    if (crossed) ends_[1].connect();
  }

  // False if the two are not done in a reasonable time.
  bool run(bool strangers) {
    for (now_ = 0; now_ < 60'000; ++now_) {
      round();
      if (strangers && track_ && established()) intrude();
      if (ends_[0].was_reset() || ends_[1].was_reset()) return false;
      if (ends_[0].done() && ends_[1].done()) return true;
    }
    return false;
  }
  std::string told() const {
    std::string out(kTcpStateNames[static_cast<std::size_t>(track_->state)]);
    for (const TcpEndpoint& end : ends_)
      out += std::string(end.was_reset() ? ", reset"
                         : end.done()    ? ", done"
                                         : ", not done") +
             " with " + std::to_string(end.newest_sent() - end.oldest_unacknowledged()) +
             " under way";
    return out + " after " + std::to_string(now_) + " rounds";
  }
  int refused() const { return refused_; }
  int intrusions() const { return intrusions_; }
  TcpState state() const { return track_->state; }
  bool established() const {
    return track_->state == TcpState::kEstablished || track_->state == TcpState::kAskedAnew;
  }

 private:
  // No more bytes than pass in a reasonable time through the other side's buffer.
  TcpEndpoint::Options options(std::size_t side) {
    const bool near_wrap = random_() % 2 == 0;
    const auto any = static_cast<std::uint32_t>(random_());
    const std::uint32_t most = std::min(400'000U, 60U << sizes_[1 - side]);
    const auto scale = random_() % std::min(sizes_[side] - 3, kMostWindowScale + 1U);
    return {.first = near_wrap ? 0U - any % 100'000 : any,
            .bytes = any % 7 == 0 ? 0 : static_cast<std::uint32_t>(random_() % most),
            .buffer = 1U << sizes_[side],
            .scale = random_() % 3 == 0 ? kNoWindowScale : static_cast<std::uint8_t>(scale)};
  }

  void round() {
    for (std::size_t side = 0; side < 2; ++side) {
      if (now_ % (8 + 4 * network_.delay) == 0) ends_[side].tick();
      for (const TcpSegment& s : ends_[side].take()) in_[side].put(s, now_);
      for (const TcpSegment& s : in_[side].due(now_)) pass(s, side);
      for (const TcpSegment& s : out_[side].due(now_)) ends_[1 - side].receive(s);
    }
  }

  void pass(const TcpSegment& s, std::size_t side) {
    if (!track_) {
      if (side != 0) return;  // nobody but the client opens a flow
      track_ = tcp_open(s);
      return out_[side].put(s, now_);
    }
    const TcpVerdict verdict = tcp_advance(*track_, s, static_cast<Direction>(side));
    ASSERT_NE(verdict, TcpVerdict::kReopen);
    if (!drop_reason(verdict)) return out_[side].put(s, now_);
    ++refused_;
    ASSERT_FALSE(ends_[1 - side].has_use_for(s))
        << "refused as " << to_string(*drop_reason(verdict)) << " in state "
        << kTcpStateNames[static_cast<std::size_t>(track_->state)] << ": flags "
        << tcp_flags_text(s.flags) << " sequence " << s.sequence << " size " << s.size
        << " acknowledgement " << s.acknowledgement << " from " << (side == 0 ? "client" : "server")
        << " with end " << track_->end[side] << " acknowledged " << track_->acknowledged[side]
        << " other end " << track_->end[1 - side];
  }

  // A stranger who knows the ports and not the numbers, and who does not hit the windows.
  void intrude() {
    const std::size_t side = random_() % 2;
    const TcpEndpoint& self = ends_[side];
    const TcpEndpoint& victim = ends_[1 - side];
    constexpr std::uint8_t kFlags[] = {kTcpAck, kTcpRst, kTcpRst | kTcpAck, kTcpFin | kTcpAck,
                                       kTcpSyn | kTcpAck};
    TcpSegment s{.sequence = static_cast<std::uint32_t>(random_()),
                 .acknowledgement = victim.newest_sent(),
                 .size = 0,
                 .window = static_cast<std::uint16_t>(random_()),
                 .flags = kFlags[random_() % std::size(kFlags)]};
    if (s.flags == kTcpAck) s.size = 100;
    const std::uint32_t highest = self.newest_sent() + victim.greatest_window() + 2;
    const std::uint32_t lowest = self.oldest_unacknowledged() - victim.greatest_window() - 2;
    if (random_() % 2 == 0) s.sequence = highest + 1 + static_cast<std::uint32_t>(random_() % 1000);
    if (s.sequence - lowest + s.size + 1 <= highest - lowest + s.size + 1) return;
    ++intrusions_;
    const TcpTrack before = *track_;
    EXPECT_EQ(tcp_advance(*track_, s, static_cast<Direction>(side)), TcpVerdict::kBadWindow);
    EXPECT_EQ(track_->state, before.state);
    // An acknowledgement of what was never sent, within the windows otherwise.
    TcpSegment blind{
        .sequence = self.newest_sent(),
        .acknowledgement = victim.newest_sent() + 1 + static_cast<std::uint32_t>(random_() % 1000),
        .window = 0xffff,
        .flags = kTcpAck};
    EXPECT_EQ(tcp_advance(*track_, blind, static_cast<Direction>(side)), TcpVerdict::kBadWindow);
    // What the receiver is to judge reaches it and does not end the flow.
    const bool syn = side == 0 && random_() % 2 == 0;
    // The SYN's number is far from the old ones: a stranger's SYN+ACK never happens to answer it.
    const std::uint32_t far = (1U << 30) + static_cast<std::uint32_t>(random_() % (1U << 30));
    TcpSegment doubtful{.sequence = syn ? self.newest_sent() + far : track_->end[side] - 1,
                        .flags = static_cast<std::uint8_t>(syn ? kTcpSyn : kTcpRst)};
    if (!syn && (track_->state != TcpState::kEstablished ||
                 doubtful.sequence == track_->acknowledged[side] ||
                 doubtful.sequence == victim.next_expected()))
      return;
    EXPECT_EQ(tcp_advance(*track_, doubtful, static_cast<Direction>(side)),
              syn ? TcpVerdict::kForward : TcpVerdict::kForwardDoubtful);
    EXPECT_TRUE(established());
    ends_[1 - side].receive(doubtful);
  }

  std::mt19937 random_;
  std::array<unsigned, 2> sizes_;  // of their buffers, powers of two
  std::array<TcpEndpoint, 2> ends_;
  std::array<Wire, 2> in_;   // from the sender to the gateway
  std::array<Wire, 2> out_;  // from there on
  const Network& network_;
  std::optional<TcpTrack> track_;
  unsigned now_ = 0;
  int refused_ = 0;
  int intrusions_ = 0;
};

constexpr Network kNetworks[] = {
    {"orderly", 0, 0, 0}, {"lossy", 10, 0, 0}, {"reordering", 0, 5, 4}, {"bad", 15, 5, 12}};

TEST(TcpEndpoints, EverythingThatTheirReceiversNeedPasses) {
  const unsigned first = std::random_device()();
  for (const Network& network : kNetworks) {
    for (unsigned i = 0; i < 60; ++i) {
      SCOPED_TRACE(std::string(network.name) + ", seed " + std::to_string(first + i));
      Connection connection(network, first + i, i % 5 == 0);
      ASSERT_TRUE(connection.run(false)) << connection.told();
      ASSERT_FALSE(HasFatalFailure());
      EXPECT_EQ(connection.state(), TcpState::kBothClosing);
      // Without reordering nothing arrives so late that it is of no use.
      if (network.delay == 0) {
        EXPECT_EQ(connection.refused(), 0);
      }
    }
  }
}

TEST(TcpEndpoints, StrangersOutsideTheWindowsAreRefusedAndTheTransferCompletes) {
  const unsigned first = std::random_device()();
  int intrusions = 0;
  for (const Network& network : kNetworks) {
    for (unsigned i = 0; i < 40; ++i) {
      SCOPED_TRACE(std::string(network.name) + ", seed " + std::to_string(first + i));
      Connection connection(network, first + i, false);
      ASSERT_TRUE(connection.run(true)) << connection.told();
      ASSERT_FALSE(HasFatalFailure());
      intrusions += connection.intrusions();
    }
  }
  EXPECT_GT(intrusions, 1000);
}

}  // namespace
}  // namespace sallyport::testing
