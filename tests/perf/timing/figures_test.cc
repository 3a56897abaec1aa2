// What rounds come to: each verdict, and that a round that failed is no figure.
#include <gtest/gtest.h>

#include "tests/perf/timing/idle_figures.h"
#include "tests/perf/timing/latency_figures.h"
#include "tests/perf/timing/tap_figures.h"
#include "tests/perf/timing/two_workers_figures.h"

namespace sallyport::bench {
namespace {

// Adds exactly what may be added.
LatencyRound latency_round() {
  LatencyRound r;
  r.managed = 8e6;
  r.managed_io = 20e6;
  r.offered = 4e6;
  r.gateway = {12, 60, 500, 4e6, 0, 2000, 700};
  r.io = {2, 10, 20, 4e6, 1, 2010, 600};
  return r;
}
std::vector<Figure> figures(const LatencyRound& second) {
  return latency_figures({line_of(latency_round()), "EAL: said something\n" + line_of(second)});
}

TEST(LatencyFigures, AreWhatTheGatewayAddsInTheSameRound) {
  LatencyRound second = latency_round();
  second.gateway.p50 = 5;
  second.io.p50 = 4;
  const auto out = figures(second);
  ASSERT_EQ(out.size(), kLatencyNames.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i].name, kLatencyNames[i]);
    EXPECT_TRUE(out[i].met) << out[i].name;
  }
  EXPECT_EQ(out[0].min, 1);
  EXPECT_EQ(out[0].max, 10);
  EXPECT_EQ(out[0].peers.at(0).median, 4);
  EXPECT_EQ(out[1].max, 50);
  EXPECT_EQ(out[2].max, 480);
  EXPECT_EQ(out[3].max, 0);
}

TEST(LatencyFigures, OneRoundAboveATargetMissesIt) {
  LatencyRound second = latency_round();
  second.gateway.p50 += 0.1;
  EXPECT_FALSE(figures(second)[0].met);
  EXPECT_TRUE(figures(second)[1].met);
  second = latency_round();
  second.io.p99 -= 0.1;
  EXPECT_TRUE(figures(second)[0].met);
  EXPECT_FALSE(figures(second)[1].met);
}

TEST(LatencyFigures, AQuantileThatLostPacketsCouldHideBehindIsMissed) {
  LatencyRound second = latency_round();
  second.gateway.lost = 0.01 * second.gateway.sent;
  EXPECT_TRUE(figures(second)[1].met);
  EXPECT_FALSE(figures(second)[2].met);
  second.gateway.lost += 1;
  EXPECT_FALSE(figures(second)[1].met);
  EXPECT_TRUE(figures(second)[0].met);
  EXPECT_EQ(figures(second)[3].max, second.gateway.lost);
}

TEST(LatencyFigures, ADisturbedRoundOfTheIoEngineFlattersNobody) {
  LatencyRound second = latency_round();
  second.gateway.p50 = 20;
  second.io.p50 = 7000;
  EXPECT_FALSE(figures(second)[0].met);
  second = latency_round();
  second.io.lost = 0.011 * second.io.sent;
  EXPECT_TRUE(figures(second)[0].met);
  EXPECT_FALSE(figures(second)[1].met);
  EXPECT_NE(figures(second)[1].note.find("disturbed"), std::string::npos);
  second = latency_round();
  second.io.lost = 0.6 * second.io.sent;
  EXPECT_FALSE(figures(second)[0].met);
}

TEST(LatencyFigures, SayHowMuchOfEachRoundWasForgotten) {
  LatencyRound second = latency_round();
  second.gateway.forgotten = 1;
  EXPECT_NE(figures(second)[3].note.find(
                "700 of 2700 (io-forward 600 of 2610), 1 of 2001 (io-forward 600 of 2610)"),
            std::string::npos)
      << figures(second)[3].note;
}

TEST(LatencyFigures, AreMissedWithTheReasonIfARoundFailed) {
  const auto out = latency_figures({line_of(latency_round()), "no-figure: two processors"});
  ASSERT_EQ(out.size(), kLatencyNames.size());
  for (const Figure& figure : out) {
    EXPECT_FALSE(figure.met);
    EXPECT_NE(figure.note.find("not measured: no-figure: two processors"), std::string::npos);
  }
  EXPECT_FALSE(latency_figures({}).at(0).met);
}

TEST(IdleFigures, HoldProcessorTimeAndTheLatePacketsAgainstTheTargetsOfTheirPorts) {
  const IdleRound good{5, 4000, 90, 500, 100, 0, 90, 400};
  for (const Figure& figure : idle_figures(kPolled, {line_of(good), line_of(good)}))
    EXPECT_TRUE(figure.met) << figure.name;
  struct Case {
    IdleRound round;
    std::array<bool, 3> met;
  };
  for (const Case& c : {Case{{5.1, 4000, 90, 500, 100, 0, 90, 400}, {false, true, true}},
                        Case{{5, 4000, 90, 500.1, 100, 0, 90, 400}, {true, true, false}},
                        Case{{5, 4000, 90, 500, 100, 1, 90, 400}, {true, true, false}}}) {
    const auto out = idle_figures(kPolled, {line_of(good), line_of(c.round)});
    ASSERT_EQ(out.size(), kPolled.names.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      EXPECT_EQ(out[i].name, kPolled.names[i]);
      EXPECT_EQ(out[i].met, c.met[i]) << out[i].name;
    }
  }
}

TEST(IdleFigures, SetTheLatePacketsBesideABareWakeOfTheSameRound) {
  // The machine was ten times as slow in the second and third round: so was the bare wake.
  const auto out = idle_figures(kWoken, {line_of(IdleRound{1, 300, 40, 150, 100, 0, 20, 100}),
                                         line_of(IdleRound{1, 300, 400, 1500, 100, 0, 200, 1000}),
                                         line_of(IdleRound{1, 300, 400, 1500, 100, 0, 200, 200})});
  EXPECT_TRUE(out.at(0).peers.empty());
  EXPECT_EQ(out.at(1).peers.at(0).name, kWoken.bare);
  EXPECT_EQ(out.at(1).peers.at(0).median, 200);
  EXPECT_EQ(out.at(1).peers.at(0).ratio, 2);
  EXPECT_EQ(out.at(2).peers.at(0).ratio, 1.5);
  EXPECT_NE(out.at(2).note.find("150 and 100, 1500 and 1000, 1500 and 200 us"), std::string::npos);
  EXPECT_NE(out.at(2).note.find("eventfd-wake alone is above the target in 1 of 3 rounds"),
            std::string::npos);
  EXPECT_FALSE(out.at(2).met) << "nothing is taken off";
  EXPECT_EQ(out.at(1).note.find("above the target"), std::string::npos) << "it has none";
}

TEST(IdleFigures, AreMissedWithTheReasonIfARoundFailed) {
  for (const Figure& figure : idle_figures(kWoken, {"idle-round 1 2 3"})) EXPECT_FALSE(figure.met);
}

TEST(IdleFigures, WhatIsGoodForPolledPortsIsNotForThoseThatWake) {
  const auto out = idle_figures(kWoken, {line_of(IdleRound{2.1, 4000, 90, 200.1, 100, 0, 60, 90})});
  for (const std::size_t i : {0U, 2U}) {
    EXPECT_EQ(out.at(i).name, kIdleInterruptNames[i]);
    EXPECT_FALSE(out.at(i).met) << out.at(i).name;
  }
  for (const Figure& figure :
       idle_figures(kWoken, {line_of(IdleRound{2, 100, 90, 200, 100, 0, 60, 90})}))
    EXPECT_TRUE(figure.met) << figure.name;
}

TEST(TapFigures, HoldEachDirectionOfEachRoundAgainstItsTarget) {
  const TapRound good{
      10, 0.6, {5, 30, 9, 0.1, 0.2, 0.3, 0.4, 0.5}, {6, 20, 9, 0.1, 0.2, 0.3, 0.4, 0.5}};
  TapRound slow = good;
  slow.to_host.gbits = 4.9;
  const auto out = tap_figures({line_of(good), line_of(slow), line_of(good)});
  ASSERT_EQ(out.size(), kTapNames.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i].name, kTapNames[i]);
    EXPECT_EQ(out[i].met, i == 0) << out[i].name;
    EXPECT_EQ(out[i].peers.at(0).median, 10);
  }
  EXPECT_EQ(out[0].peers.at(0).ratio, 0.5);
  EXPECT_EQ(out[1].min, 4.9);
  EXPECT_EQ(out[1].median, 6);
}

TEST(TapFigures, AreMissedWithTheReasonIfARoundFailed) {
  for (const Figure& figure : tap_figures({"tap-round 1 2 3"})) EXPECT_FALSE(figure.met);
  EXPECT_FALSE(tap_figures({}).at(0).met);
}

TEST(TwoWorkersFigures, AreWhatBothCarryAndThatByWhatOneDid) {
  const auto out = two_workers_figures({line_of(TwoWorkersRound{1e6, 9e5, 1e6, 0, {1.8, 1.9, 2}}),
                                        line_of(TwoWorkersRound{2e6, 1e6, 2e6, 0, {1.5, 1.5, 9}}),
                                        line_of(TwoWorkersRound{1e6, 1e6, 1e6, 0, {2}})});
  ASSERT_EQ(out.size(), kTwoWorkersNames.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    EXPECT_EQ(out[i].name, kTwoWorkersNames[i]);
    EXPECT_TRUE(out[i].met) << out[i].name;
  }
  EXPECT_DOUBLE_EQ(out[0].median, 2);
  EXPECT_DOUBLE_EQ(out[0].max, 3);
  EXPECT_DOUBLE_EQ(out[1].median, 1.9);
  EXPECT_DOUBLE_EQ(out[1].min, 1.5);
  EXPECT_DOUBLE_EQ(out[1].max, 2);
}

TEST(TwoWorkersFigures, AreMissedIfAPacketDidNotLeaveOrARoundFailed) {
  EXPECT_FALSE(two_workers_figures({line_of(TwoWorkersRound{1e6, 9e5, 1e6, 1, {1.9}})}).at(0).met);
  for (const Figure& figure : two_workers_figures({"two-workers-round 1 2 3"}))
    EXPECT_FALSE(figure.met);
  EXPECT_FALSE(two_workers_figures({line_of(TwoWorkersRound{1, 1, 1, 0, {}})}).at(1).met);
}

}  // namespace
}  // namespace sallyport::bench
