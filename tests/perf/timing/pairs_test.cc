// Two that take turns, and what their pairs come to.
#include "tests/perf/timing/pairs.h"

#include <gtest/gtest.h>

namespace sallyport::bench {
namespace {

TEST(InTurns, EachTurnLiesBesideItsPartnersAndWhoGoesFirstChanges) {
  for (const bool one_first : {true, false}) {
    std::string played;
    const auto turn = [&](char who, double rate) {
      return [&played, who, rate] {
        played += who;
        return rate;
      };
    };
    const auto ratios = in_turns(3, one_first, turn('A', 3), turn('B', 2));
    EXPECT_EQ(played, one_first ? "ABBAAB" : "BAABBA");
    EXPECT_EQ(ratios, (std::vector<double>{1.5, 1.5, 1.5}));
  }
  EXPECT_EQ(in_turns(1, true, [] { return 1.0; }, [] { return 0.0; }), std::vector<double>{0});
}

TEST(InTurns, AMachineThatGetsSlowerAllTheTimeFavoursNobody) {
  double speed = 1;
  const auto turn = [&] { return speed *= 0.9; };
  EXPECT_NEAR(paired(in_turns(100, true, turn, turn)), 1, 0.01);
  speed = 1;
  EXPECT_NEAR(paired(in_turns(100, false, turn, turn)), 1, 0.01);
}

TEST(Paired, IsTheMedianSoThatADisturbedTurnDecidesNothing) {
  EXPECT_DOUBLE_EQ(paired({0.9, 0.8, 0.01, 1.0, 50}), 0.9);
  EXPECT_DOUBLE_EQ(paired({1, 2}), 1.5);
  EXPECT_EQ(paired({}), 0);
  EXPECT_EQ(paired({0, 0, 1}), 0) << "nothing came through";
}

TEST(Paired, TheTurnsOfOneKindCountWhateverTheOthersAre) {
  // One turn in three takes twice the time; each kind was disturbed once.
  const std::vector<double> ratios{0.5, 1, 1, 0.5, 0.01, 1, 9, 1, 0.02, 0.5, 1, 1};
  EXPECT_DOUBLE_EQ(paired(ratios, 3), 0.75);
  EXPECT_EQ(paired(ratios), 1);
  EXPECT_EQ(paired({0.5, 1}, 3), 0) << "a kind without a turn";
}

TEST(PairedFigure, HasAValueForEachRoundAndSaysHowFarItsPairsLieApart) {
  const Figure out =
      paired_figure("kept", "of all", {{0.8, 0.9, 1.0}, {0.9, 0.95, 1.0}, {0.5, 0.85, 2}}, 0.84);
  EXPECT_EQ(out.name, "kept");
  EXPECT_DOUBLE_EQ(out.min, 0.85);
  EXPECT_DOUBLE_EQ(out.median, 0.9);
  EXPECT_DOUBLE_EQ(out.max, 0.95);
  EXPECT_TRUE(out.met);
  EXPECT_EQ(out.note, "9 pairs of neighbours, half of them from 0.850 to 1.000");
}

TEST(PairedFigure, IsMissedByOneRoundBelowItsTargetAndWithoutAny) {
  EXPECT_FALSE(paired_figure("kept", "", {{1, 1}, {0.84, 0.84}}, 0.85).met);
  EXPECT_FALSE(paired_figure("kept", "", {}, 0).met);
  EXPECT_FALSE(paired_figure("kept", "", {{}}, 0).met);
}

TEST(PairedPeer, IsComparedWithTheRoundsBesideItsOwn) {
  // The machine was three times as fast in the second half: so were both.
  const Peer peer = paired_peer("peer", {1, 1, 3, 3, 3}, {2, 2, 6, 6, 2});
  EXPECT_EQ(peer.name, "peer");
  EXPECT_EQ(peer.median, 2);
  EXPECT_EQ(peer.ratio, 0.5);
}

TEST(PairsOfARound, AreWhatItsProcessSaid) {
  EXPECT_EQ(pairs_in("EAL: said something\n" + line_of_pairs({0.5, 1.25}) + "more\n"),
            (std::vector<double>{0.5, 1.25}));
  EXPECT_TRUE(pairs_in("no-figure: no port").empty());
}

}  // namespace
}  // namespace sallyport::bench
