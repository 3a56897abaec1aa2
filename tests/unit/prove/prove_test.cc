// The proof holds for what the compiler makes, and says of a difference what, where and with which
// packet. other_configuration_test.cc, planted_test.cc and bits_test.cc look for the differences.
#include "policy/prove/prove.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "policy/explain/question.h"
#include "tests/support/policy/comparison.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::prove {
namespace {

using model::Gateway;
using testing::add_conduit;
using testing::device;
using ::testing::HasSubstr;
using testing::segment;
using testing::tcp;

Proof proof_of(const Gateway& made, const Gateway& meant) {
  const auto compiled = testing::compiled(made);
  return prove(testing::view_of(compiled), meant, std::nullopt);
}

TEST(Prove, HoldsForWhatTheCompilerMakes) {
  for (const Gateway& g : {testing::sample_gateway(), testing::bare_gateway(), Gateway()}) {
    const Proof proof = proof_of(g, g);
    EXPECT_TRUE(proof.holds()) << to_text(proof);
  }
}

TEST(Prove, HoldsForRandomPlants) {
  const std::uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::size_t proven = 0;
  for (std::uint64_t round = 0; round < 300; ++round) {
    std::mt19937 random(static_cast<std::uint32_t>(seed + round));
    testing::Choices choices([&] { return static_cast<std::uint32_t>(random()); });
    const auto agreed = testing::agree(testing::random_gateway(choices), {});
    if (!agreed) continue;
    const Proof proof = prove(testing::view_of(agreed->compiled), agreed->gateway, std::nullopt);
    ASSERT_TRUE(proof.holds()) << "seed " << seed + round << "\n" << to_text(proof);
    ++proven;
  }
  EXPECT_GT(proven, 200U);
}

// Another random plant's tables are not this one's, and of whatever differs the packet is real:
// `explain` on the tables says of it what the proof says.
TEST(Prove, WitnessesOfRandomDifferencesAreConfirmedByExplain) {
  const std::uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::size_t confirmed = 0;
  for (std::uint64_t round = 0; round < 200; ++round) {
    SCOPED_TRACE(seed + round);
    std::mt19937 random(static_cast<std::uint32_t>(seed + round));
    testing::Choices choices([&] { return static_cast<std::uint32_t>(random()); });
    const auto agreed = testing::agree(testing::random_gateway(choices), {});
    if (!agreed || agreed->gateway.conduits.empty()) continue;
    Gateway meant = agreed->gateway;
    // One conduit less is meant than was made, or one more.
    auto& last = meant.conduits.back();
    if (choices.one_in(2))
      meant.conduits.pop_back();
    else
      last.service.ports.last = last.service.ports.first = 7;
    const auto view = testing::view_of(agreed->compiled);
    for (const Difference& d : prove(view, meant, std::nullopt).differences) {
      if (!d.witness) continue;
      const bool allowed = explain::explain(view, *d.witness).allowed;
      if (d.wrong == Wrong::kUndescribed || d.wrong == Wrong::kMissing) {
        EXPECT_EQ(allowed, d.wrong == Wrong::kUndescribed) << d.text;
        ++confirmed;
      }
      // And the command line that is printed for it asks the same.
      const auto again = explain::parse_question(view, explain::words_of(view, *d.witness));
      ASSERT_TRUE(again) << again.error().context << " " << d.command;
      EXPECT_EQ(explain::words_of(view, *again), explain::words_of(view, *d.witness));
    }
  }
  EXPECT_GT(confirmed, 100U);
}

TEST(Prove, CountsReviewsByTheSameDayAsTheCompiler) {
  Gateway g = testing::bare_gateway();
  add_conduit(g, "c", device("scada"), device("camera"), tcp(80));
  const std::int32_t end = g.conduits[0].review->expires_day;
  for (const std::int32_t day : {end, end + 1, end + 30, end + 31}) {
    compile::CompileInput input;
    input.today = day;
    const auto compiled = testing::compiled(g, input);
    EXPECT_TRUE(prove(testing::view_of(compiled), g, day).holds()) << day;
    const bool other = day > end + 30;
    EXPECT_EQ(prove(testing::view_of(compiled), g, other ? end : end + 31).holds(), false) << day;
  }
}

TEST(Prove, SaysWhatCannotBeEnforced) {
  Gateway g = testing::bare_gateway();
  const Proof proof = proof_of(g, g);
  ASSERT_EQ(proof.not_enforceable.size(), 1U);
  EXPECT_THAT(to_text(proof), HasSubstr("not enforceable: meter, camera share port lan2"));
  // A VLAN each: the gateway stands between them.
  g.segments[1].members.push_back({"lan2", 5});
  g.devices[2].where = {"lan2", 5};
  EXPECT_TRUE(proof_of(g, g).not_enforceable.empty());
  g.devices[1].where = {"lan2", 5};
  EXPECT_THAT(to_text(proof_of(g, g)),
              HasSubstr("not enforceable: meter, camera share port lan2 VLAN 5"));
  g.segments[1].isolated = true;
  EXPECT_TRUE(proof_of(g, g).not_enforceable.empty());
}

TEST(Prove, ARefusalNamesTheFaultThePacketAndHowToAskForIt) {
  const Gateway meant = testing::bare_gateway();
  EXPECT_TRUE(refusal(proof_of(meant, meant)).empty());
  Gateway made = meant;
  made.segments[2].services |= model::kDns;
  const model::Diagnostics refused = refusal(proof_of(made, meant));
  const auto at = std::find_if(refused.begin(), refused.end(),
                               [](const auto& d) { return d.code == "proof-undescribed"; });
  ASSERT_NE(at, refused.end());
  EXPECT_THAT(at->message, HasSubstr("builtin:dns:office"));
  EXPECT_THAT(at->message, HasSubstr("tcp 10.30.0.5:40000 > 10.30.0.1:53 in office"));
  EXPECT_THAT(at->hint, HasSubstr("explain --candidate FILE --in office 10.30.0.5:40000 "
                                  "10.30.0.1:53 tcp"));
}

// More than can be shown is still refused.
TEST(Prove, ManyDifferencesAreCountedAndSomeShown) {
  Gateway meant = testing::bare_gateway();
  for (int n = 0; n < 200; ++n)
    add_conduit(meant, "c" + std::to_string(n), device("scada"), device("camera"),
                tcp(static_cast<std::uint16_t>(1000 + 2 * n)));
  Gateway made = meant;
  for (model::Conduit& c : made.conduits) c.service.ports.last = c.service.ports.first += 1;
  const Proof proof = proof_of(made, meant);
  EXPECT_EQ(proof.differences.size(), kMaxDifferences);
  EXPECT_EQ(proof.differences.size() + proof.differences_omitted, 800U);
  EXPECT_FALSE(proof.holds());
  EXPECT_THAT(to_text(proof), HasSubstr("and 736 more"));
}

// An end that nobody has: no packet shows it, and it is refused all the same.
TEST(Prove, WhatNobodyCanSendTodayIsRefusedWithoutAPacket) {
  Gateway meant = testing::bare_gateway();
  add_conduit(meant, "c", segment("office", {"10.30.0.0/28"}), device("camera"), tcp(80));
  Gateway made = meant;
  std::get<model::SegmentEnd>(made.conduits[0].from).prefixes = {testing::prefix("10.30.0.0/27")};
  const Proof proof = proof_of(made, meant);
  ASSERT_EQ(proof.differences.size(), 1U) << to_text(proof);
  EXPECT_EQ(proof.differences[0].wrong, Wrong::kUndescribed);
  EXPECT_FALSE(proof.differences[0].witness);
  EXPECT_THAT(proof.differences[0].text, HasSubstr("tcp 10.30.0.16 > 10.20.0.7 port 80"));
  // So is what a device could only send to itself.
  meant.conduits[0] = {};
  meant.conduits.clear();
  made = meant;
  add_conduit(made, "c", device("scada"), device("scada"), tcp(80));
  meant = made;
  made.conduits[0].service = tcp(81);
  const Proof itself = proof_of(made, meant);
  ASSERT_EQ(itself.differences.size(), 4U) << to_text(itself);
  for (const Difference& d : itself.differences) EXPECT_FALSE(d.witness) << d.text;
}

TEST(Prove, JsonSaysTheSame) {
  const Gateway meant = testing::bare_gateway();
  Gateway made = meant;
  made.segments[1].services &= static_cast<std::uint16_t>(~model::kDns);
  const Proof proof = proof_of(made, meant);
  const auto json = nlohmann::json::parse(to_json(proof));
  EXPECT_FALSE(json["holds"]);
  ASSERT_EQ(json["differences"].size(), proof.differences.size());
  const auto& last = json["differences"].back();
  EXPECT_EQ(last["wrong"], "missing");
  EXPECT_EQ(last["witness"]["destination_port"], 53);
  EXPECT_EQ(last["witness"]["explain"], proof.differences.back().command);
  EXPECT_EQ(json["not_enforceable"][0]["devices"][0], "meter");
}

}  // namespace
}  // namespace sallyport::prove
