#include "dataplane/flow/tcp_window.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "tests/support/tcp_duel.h"

namespace sallyport::testing {
namespace {

using namespace dataplane;  // NOLINT(google-build-using-namespace): one folder's tests
using Options = std::vector<std::uint8_t>;

TEST(TcpOptions, AWindowScaleIsReadWithinBounds) {
  struct Case {
    const char* name;
    Options options;
    std::uint8_t expected;
  };
  const Case kCases[] = {
      {"none", {}, kNoWindowScale},
      {"as Linux sends it", {2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7}, 7},
      {"above 14 is 14 (RFC 7323 §2.3)", {3, 3, 15}, 14},
      {"of two the last", {3, 3, 1, 3, 3, 2}, 2},
      {"behind the end of the list", {0, 3, 3, 7}, kNoWindowScale},
      {"of a wrong length", {3, 4, 7, 0}, kNoWindowScale},
      {"cut off", {1, 3, 3}, kNoWindowScale},
      {"behind a length of nothing", {8, 0, 3, 3, 7}, kNoWindowScale},
      {"behind one that ends outside", {8, 40, 3, 3, 7}, kNoWindowScale},
      {"a kind without its length", {3}, kNoWindowScale},
  };
  for (const Case& c : kCases) EXPECT_EQ(offered_window_scale(c.options), c.expected) << c.name;
}

TEST(TcpWindow, AgreesWithItsTwinOnRandomHistories) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  std::array<int, kTcpStates> reached{};
  for (int history = 0; history < 3000; ++history) {
    const auto bytes = [&] {
      const std::uint64_t r = random();
      std::array<std::uint8_t, 8> out;
      for (unsigned i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(r >> 8 * i);
      if (random() % 4 != 0) out[5] = out[7] = 0;  // exactly at a bound
      return out;
    };
    TcpDuel duel(bytes());
    for (int i = 0; i < 60 && !duel.over(); ++i) {
      duel.step(bytes());
      ++reached[static_cast<std::size_t>(duel.state())];
    }
  }
  for (std::size_t state = 0; state < kTcpStates; ++state)
    EXPECT_GT(reached[state], 0) << kTcpStateNames[state];
}

// The inlined way and the table's are one.
TEST(TcpWindow, ThePlainSegmentsOfAnEstablishedFlowAreJudgedAsTheTableSays) {
  for (const TcpEvent event : {TcpEvent::kClientAck, TcpEvent::kServerAck}) {
    const TcpCell cell = tcp_next(TcpState::kEstablished, event);
    EXPECT_EQ(cell.action, TcpAction::kPass);
    EXPECT_EQ(cell.next, TcpState::kEstablished);
  }
}

class OpenFlow : public ::testing::Test {
 protected:
  OpenFlow() {
    track_ = tcp_open({.sequence = 99, .window = 1000, .flags = kTcpSyn});
    EXPECT_EQ(
        server(
            {.sequence = 499, .acknowledgement = 100, .window = 2000, .flags = kTcpSyn | kTcpAck}),
        TcpVerdict::kForward);
    EXPECT_EQ(client({.sequence = 100, .acknowledgement = 500, .window = 1000, .flags = kTcpAck}),
              TcpVerdict::kForward);
  }
  TcpVerdict client(const TcpSegment& s) { return tcp_advance(track_, s, Direction::kFromClient); }
  TcpVerdict server(const TcpSegment& s) { return tcp_advance(track_, s, Direction::kFromServer); }
  TcpTrack track_;
};

TEST_F(OpenFlow, DataEndsWhereItsReceiverSaid) {
  TcpSegment s{
      .sequence = 100, .acknowledgement = 500, .size = 1000, .window = 1000, .flags = kTcpAck};
  s.sequence = 1100;
  EXPECT_EQ(client(s), TcpVerdict::kForward) << "the whole window";
  s.sequence = 1102;
  EXPECT_EQ(client(s), TcpVerdict::kBadWindow);
  s.sequence = 2100;
  s.size = 0;
  s.flags = kTcpFin | kTcpAck;
  EXPECT_EQ(client(s), TcpVerdict::kForward) << "a FIN needs no room";
}

TEST_F(OpenFlow, AProbeOfAWindowThatNeverOpenedPasses) {
  TcpTrack t = tcp_open({.sequence = 99, .window = 0, .flags = kTcpSyn});
  const TcpSegment answer{
      .sequence = 499, .acknowledgement = 100, .window = 2000, .flags = kTcpSyn | kTcpAck};
  ASSERT_EQ(tcp_advance(t, answer, Direction::kFromServer), TcpVerdict::kForward);
  TcpSegment probe{.sequence = 500, .acknowledgement = 100, .size = 1, .flags = kTcpAck};
  EXPECT_EQ(tcp_advance(t, probe, Direction::kFromServer), TcpVerdict::kForward);
  probe.size = 3;
  EXPECT_EQ(tcp_advance(t, probe, Direction::kFromServer), TcpVerdict::kBadWindow);
}

// RFC 9293 §3.10.7.4: a segment with an older number acknowledges, and does not tell the window.
TEST_F(OpenFlow, ASenderMayTakeAnAcknowledgementWithoutItsWindow) {
  const TcpSegment data{
      .sequence = 500, .acknowledgement = 100, .size = 600, .window = 2000, .flags = kTcpAck};
  ASSERT_EQ(server(data), TcpVerdict::kForward);
  ASSERT_EQ(client({.sequence = 100, .acknowledgement = 1100, .window = 400, .flags = kTcpAck}),
            TcpVerdict::kForward);
  EXPECT_EQ(server({.sequence = 1100,
                    .acknowledgement = 100,
                    .size = 1000,
                    .window = 2000,
                    .flags = kTcpAck}),
            TcpVerdict::kForward);
}

TEST_F(OpenFlow, AKeepAlivePasses) {
  EXPECT_EQ(client({.sequence = 99, .acknowledgement = 500, .window = 1000, .flags = kTcpAck}),
            TcpVerdict::kForward);
  EXPECT_EQ(
      server(
          {.sequence = 499, .acknowledgement = 100, .size = 1, .window = 2000, .flags = kTcpAck}),
      TcpVerdict::kForward);
}

// RFC 7323 §2.2: the shift holds if both SYNs have it, and never for a SYN's own window.
// RFC 7413 §4.2.2: of a SYN with data the answer takes all or nothing.
TEST(TcpSyn, IsAnsweredWithItsOwnNumbers) {
  const TcpSegment syn{.sequence = 99, .size = 20, .window = 1000, .flags = kTcpSyn};
  const auto answered = [](TcpTrack t, std::uint32_t number) {
    return tcp_advance(t, {.sequence = 7, .acknowledgement = number, .flags = kTcpSyn | kTcpAck},
                       Direction::kFromServer);
  };
  for (const std::uint32_t number : {100U, 120U})
    EXPECT_EQ(answered(tcp_open(syn), number), TcpVerdict::kForward) << number;
  for (const std::uint32_t number : {99U, 121U, 0U, 900'000U})
    EXPECT_EQ(answered(tcp_open(syn), number), TcpVerdict::kBadWindow) << number;
  // The data is left out of the second copy, and the first one arrives all the same.
  TcpTrack t = tcp_open(syn);
  tcp_advance(t, {.sequence = 99, .window = 1000, .flags = kTcpSyn}, Direction::kFromClient);
  EXPECT_EQ(answered(t, 120), TcpVerdict::kForward);
  // Another connection has other numbers.
  tcp_advance(t, {.sequence = 500'000, .window = 1000, .flags = kTcpSyn}, Direction::kFromClient);
  EXPECT_EQ(answered(t, 120), TcpVerdict::kBadWindow);
}

TEST(TcpScale, HoldsIfBothOfferIt) {
  struct Case {
    const char* name;
    std::uint8_t client;
    std::uint8_t server;
    std::uint32_t reach;  // of a client's window of 1000
  };
  for (const Case& c : {Case{"both", 7, 2, 128'000},
                        {"both, the server's is none", 7, 0, 128'000},
                        {"the client alone", 7, kNoWindowScale, 1000},
                        {"the server alone", kNoWindowScale, 7, 1000}}) {
    TcpTrack t = tcp_open({.sequence = 99, .window = 5000, .flags = kTcpSyn, .scale = c.client});
    ASSERT_EQ(tcp_advance(t,
                          {.sequence = 499,
                           .acknowledgement = 100,
                           .window = 2000,
                           .flags = kTcpSyn | kTcpAck,
                           .scale = c.server},
                          Direction::kFromServer),
              TcpVerdict::kForward);
    EXPECT_EQ(tcp_detail::reach(t, 0), c.reach == 1000 ? 5000U : 5120U)
        << c.name << ": the window of a SYN, which is not scaled";
    ASSERT_EQ(
        tcp_advance(t, {.sequence = 100, .acknowledgement = 500, .window = 1000, .flags = kTcpAck},
                    Direction::kFromClient),
        TcpVerdict::kForward);
    EXPECT_EQ(tcp_detail::reach(t, 0), std::max(5000U, c.reach)) << c.name;
  }
}

// A server without state before the last ACK answers a repeated SYN with another number.
TEST(TcpScale, OfSeveralAnswersTheLastCounts) {
  TcpTrack t = tcp_open({.sequence = 99, .window = 5000, .flags = kTcpSyn, .scale = 7});
  TcpSegment answer{.sequence = 499,
                    .acknowledgement = 100,
                    .window = 2000,
                    .flags = kTcpSyn | kTcpAck,
                    .scale = 7};
  ASSERT_EQ(tcp_advance(t, answer, Direction::kFromServer), TcpVerdict::kForward);
  answer.sequence = 70'000'000;
  answer.scale = kNoWindowScale;
  ASSERT_EQ(tcp_advance(t, answer, Direction::kFromServer), TcpVerdict::kForward);
  EXPECT_EQ(tcp_advance(t, {.sequence = 100, .acknowledgement = 500, .window = 9, .flags = kTcpAck},
                        Direction::kFromClient),
            TcpVerdict::kBadWindow);
  EXPECT_EQ(tcp_advance(
                t, {.sequence = 100, .acknowledgement = 70'000'001, .window = 9, .flags = kTcpAck},
                Direction::kFromClient),
            TcpVerdict::kForward);
  EXPECT_EQ(t.shift[0], 0);
  EXPECT_EQ(tcp_detail::reach(t, 0), 5120U) << "5000, counted in units of 128 meanwhile";
}

}  // namespace
}  // namespace sallyport::testing
