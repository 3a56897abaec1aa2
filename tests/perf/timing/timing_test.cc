#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <random>
#include <vector>

#include "tests/perf/timing/histogram.h"
#include "tests/perf/timing/pacer.h"

namespace sallyport::bench {
namespace {

constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();

TEST(Histogram, BucketsFollowOneAnotherWithoutAGapUpToTheLargestNumber) {
  EXPECT_EQ(Histogram::bucket_of(0), 0U);
  for (std::size_t bucket = 0; bucket + 1 < Histogram::kBuckets; ++bucket) {
    const std::uint64_t greatest = Histogram::greatest_of(bucket);
    ASSERT_EQ(Histogram::bucket_of(greatest), bucket);
    ASSERT_EQ(Histogram::bucket_of(greatest + 1), bucket + 1);
  }
  EXPECT_EQ(Histogram::greatest_of(Histogram::kBuckets - 1), kLargest);
  EXPECT_EQ(Histogram::bucket_of(kLargest), Histogram::kBuckets - 1);
}

TEST(Histogram, ABucketIsNoWiderThanASixtyFourthOfItsValues) {
  for (std::size_t bucket = 1; bucket < Histogram::kBuckets; ++bucket) {
    const std::uint64_t least = Histogram::greatest_of(bucket - 1) + 1;
    ASSERT_LE(Histogram::greatest_of(bucket) - least, least / 64) << bucket;
  }
}

TEST(Histogram, QuantilesOfSmallNumbersAreExact) {
  Histogram histogram;
  EXPECT_EQ(histogram.quantile(0.5), 0U);
  for (std::uint64_t value = 1; value <= 100; ++value) histogram.add(value);
  EXPECT_EQ(histogram.count(), 100U);
  EXPECT_EQ(histogram.quantile(0), 1U);
  EXPECT_EQ(histogram.quantile(0.5), 50U);
  EXPECT_EQ(histogram.quantile(0.99), 99U);
  EXPECT_EQ(histogram.quantile(0.999), 100U);
  EXPECT_EQ(histogram.quantile(1), 100U);
}

TEST(Histogram, QuantilesAreThoseOfTheSortedValuesButForABucketsWidth) {
  std::mt19937_64 random(1);
  Histogram histogram;
  std::vector<std::uint64_t> values;
  for (int i = 0; i < 10'000; ++i) {
    values.push_back(random() >> (random() % 64));
    histogram.add(values.back());
  }
  std::ranges::sort(values);
  for (const double share : {0.01, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const std::uint64_t exact =
        values[static_cast<std::size_t>(share * static_cast<double>(values.size())) - 1];
    EXPECT_GE(histogram.quantile(share), exact) << share;
    EXPECT_LE(histogram.quantile(share) - exact, exact / 64) << share;
  }
}

TEST(Histogram, OneAddedToAnotherIsThatOfAllTheirValues) {
  Histogram low, high, all;
  for (std::uint64_t value = 1; value <= 100; ++value) {
    (value <= 90 ? low : high).add(value * value);
    all.add(value * value);
  }
  low += high;
  EXPECT_EQ(low.count(), 100U);
  for (const double share : {0.0, 0.5, 0.9, 0.91, 0.99, 1.0})
    EXPECT_EQ(low.quantile(share), all.quantile(share)) << share;
  EXPECT_EQ(high.count(), 10U);
}

TEST(Pacer, SendsAtItsIntervalFromTheStartOn) {
  Pacer pacer(1000, 250);
  EXPECT_EQ(pacer.due(0), 0U);
  EXPECT_EQ(pacer.due(999), 0U);
  EXPECT_EQ(pacer.due(1000), 1U);
  EXPECT_EQ(pacer.due(1249), 0U);
  EXPECT_EQ(pacer.due(1250), 1U);
  EXPECT_EQ(pacer.due(1250), 0U);
  EXPECT_EQ(pacer.due(2000), 3U);
  EXPECT_EQ(pacer.given_up(), 0U);
}

TEST(Pacer, AnIntervalThatIsNoWholeNumberDoesNotDrift) {
  constexpr double kInterval = 333.7;
  constexpr std::uint64_t kEnd = 10'000'000'000;
  Pacer pacer(0, kInterval);
  std::uint64_t sent = 0;
  for (std::uint64_t now = 0; now <= kEnd; now += 1009) sent += pacer.due(now);
  EXPECT_EQ(pacer.given_up(), 0U);
  EXPECT_NEAR(static_cast<double>(sent), static_cast<double>(kEnd) / kInterval, 5);
}

TEST(Pacer, WhatIsTooLateIsGivenUpAndCountedAndTheScheduleStays) {
  Pacer pacer(0, 100);
  EXPECT_EQ(pacer.due(0), 1U);
  EXPECT_EQ(pacer.due(100'050), Pacer::kMost);
  EXPECT_EQ(pacer.given_up(), 1000 - Pacer::kMost);
  EXPECT_EQ(pacer.due(100'099), 0U);
  EXPECT_EQ(pacer.due(100'100), 1U);
}

}  // namespace
}  // namespace sallyport::bench
