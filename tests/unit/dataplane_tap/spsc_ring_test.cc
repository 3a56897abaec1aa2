// The ring between two threads, one at a time or in bursts, beside a queue without a bound. What
// two threads make of it: threads_test.cc of the dataplane, under tsan.
#include "dataplane/tap/spsc_ring.h"

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <random>

namespace sallyport::dataplane {
namespace {

using Value = std::unique_ptr<int>;

TEST(SpscRing, GivesEachValueOnceAndInItsOrder) {
  constexpr std::size_t kRoom = 16;
  SpscRing<Value> ring(kRoom);
  std::deque<int> twin;
  std::mt19937 random(1);
  int made = 0, given = 0;
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_EQ(ring.room(), kRoom - twin.size());
    ASSERT_EQ(ring.full(), twin.size() == kRoom);
    ASSERT_EQ(ring.empty(), twin.empty());
    for (std::size_t n = random() % 12; n > 0; --n) {
      Value value = std::make_unique<int>(made);
      const bool taken = ring.push(value);
      ASSERT_EQ(taken, twin.size() < kRoom);
      ASSERT_EQ(value == nullptr, taken) << "what is not taken stays the caller's";
      if (taken) twin.push_back(made++);
    }
    std::array<Value, 2 * kRoom> out;
    const std::size_t asked = random() % (kRoom + 4);
    std::size_t count = 0;
    if (asked == 1) {
      out[0] = ring.pop();
      count = out[0] ? 1 : 0;
    } else {
      count = ring.pop(std::span(out).first(asked));
    }
    ASSERT_EQ(count, std::min(asked, twin.size()));
    for (std::size_t k = 0; k < out.size(); ++k) {
      ASSERT_EQ(out[k] != nullptr, k < count);
      if (k >= count) continue;
      ASSERT_EQ(*out[k], twin.front());
      twin.pop_front();
      ++given;
    }
  }
  EXPECT_GT(given, 50'000);
}

}  // namespace
}  // namespace sallyport::dataplane
