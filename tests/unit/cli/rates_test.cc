#include "control/cli/rates.h"

#include <gtest/gtest.h>

namespace sallyport::testing {
namespace {

using control::OrderedJson;
using control::rates;
using control::rates_text;

OrderedJson reading(std::int64_t at_ns, std::uint64_t in, std::uint64_t carried,
                    std::uint64_t denied) {
  return {{"at_ns", at_ns},
          {"flows", 7},
          {"segments",
           {{{"segment", "field"},
             {"in_packets", in},
             {"in_bytes", in * 100},
             {"out_packets", in / 2},
             {"out_bytes", in * 10},
             {"dropped", denied}}}},
          {"rules",
           {{{"rule", "slow"}, {"packets", carried}, {"bytes", carried * 60}},
            {{"rule", "busy"}, {"packets", 10 * carried}, {"bytes", carried * 1000}},
            {{"rule", "silent"}, {"packets", 5}, {"bytes", 500}}}},
          {"drops", {{"default-deny", denied}, {"runt", 3}}}};
}

TEST(Rates, AreDifferencesOverTheTimeBetween) {
  const OrderedJson r =
      rates(reading(1'000'000'000, 100, 10, 0), reading(3'000'000'000, 1100, 30, 8));
  EXPECT_EQ(r["seconds"], 2.0);
  EXPECT_EQ(r["flows"], 7);
  ASSERT_EQ(r["segments"].size(), 1U);
  EXPECT_EQ(r["segments"][0]["in_pps"], 500.0);
  EXPECT_EQ(r["segments"][0]["in_bps"], 500.0 * 100 * 8);
  EXPECT_EQ(r["segments"][0]["out_pps"], 250.0);
  EXPECT_EQ(r["segments"][0]["dropped_pps"], 4.0);
  // Busiest first, and no row for what carried nothing.
  ASSERT_EQ(r["conduits"].size(), 2U);
  EXPECT_EQ(r["conduits"][0]["conduit"], "busy");
  EXPECT_EQ(r["conduits"][0]["pps"], 100.0);
  EXPECT_EQ(r["conduits"][1]["bps"], 20.0 / 2 * 60 * 8);
  ASSERT_EQ(r["drops"].size(), 1U);
  EXPECT_EQ(r["drops"][0]["reason"], "default-deny");
}

TEST(Rates, WhatIsNewOrWentBackwardsHasNone) {
  OrderedJson before = reading(1'000'000'000, 100, 10, 5);
  before["rules"] = OrderedJson::array();
  before["segments"][0]["segment"] = "another";
  const OrderedJson r = rates(before, reading(2'000'000'000, 50, 20, 2));
  EXPECT_TRUE(r["segments"].empty());
  EXPECT_TRUE(r["conduits"].empty());
  EXPECT_TRUE(r["drops"].empty());
}

TEST(Rates, ACounterThatBeganAgainGoesOn) {
  OrderedJson before = reading(1'000'000'000, 100, 10, 5);
  before["segments"][0]["in_packets"] = std::uint64_t{0} - 30;
  OrderedJson after = reading(2'000'000'000, 100, 10, 5);
  after["segments"][0]["in_packets"] = std::uint64_t{70};
  EXPECT_EQ(rates(before, after)["segments"][0]["in_pps"], 100.0);
}

// Another process may say anything.
TEST(Rates, ThatWhichIsNoReadingIsNothing) {
  for (const OrderedJson& odd :
       {OrderedJson::object(), OrderedJson{{"segments", "x"}, {"rules", 1}, {"drops", "y"}},
        OrderedJson{{"segments", {1, "x"}}, {"rules", {nullptr, {{"rule", 5}}}}, {"at_ns", "z"}}}) {
    EXPECT_TRUE(rates(odd, odd)["conduits"].empty());
    EXPECT_TRUE(rates(odd, reading(1, 2, 3, 4))["segments"].empty());
    EXPECT_TRUE(rates(reading(1, 2, 3, 4), odd)["drops"].empty());
  }
}

TEST(Rates, TextIsShortAndSaysWhatItLeavesOut) {
  const OrderedJson r = rates(reading(0, 0, 0, 0), reading(1'000'000'000, 2'500'000, 10, 1));
  const std::string text = rates_text(r, 1, {});
  EXPECT_NE(text.find("2.50 M"), std::string::npos) << text;
  EXPECT_NE(text.find("and 1 more"), std::string::npos) << text;
  EXPECT_NE(text.find("default-deny"), std::string::npos) << text;
  EXPECT_EQ(rates_text(r, 10, {}).find("more"), std::string::npos);
}

}  // namespace
}  // namespace sallyport::testing
