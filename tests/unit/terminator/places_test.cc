// Who may have another place, against the same rule told plainly.
#include "tls-termination/session/places.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

namespace sallyport::terminator {
namespace {

// The rule: never more than there are; below its share a conduit is always let in; above it only
// as long as what all have above their shares fits into what is not kept for anybody.
bool plainly(const std::vector<std::size_t>& held, std::size_t who, std::size_t total,
             std::size_t share, std::size_t conduits) {
  if (std::accumulate(held.begin(), held.end(), std::size_t{0}) >= total) return false;
  if (held[who] < share) return true;
  std::size_t above = 0;
  for (const std::size_t has : held) above += has > share ? has - share : 0;
  return above < total - share * conduits;
}

TEST(Places, NoCrowdTakesTheShareOfAnother) {
  Places places(64);
  const std::vector<std::size_t> nobody(4, 0);
  places.divide(4, nobody);
  EXPECT_EQ(8U, places.share());
  std::size_t crowd = 0;
  while (places.may_take(crowd)) places.take(crowd++);
  EXPECT_EQ(40U, crowd);
  for (int conduit = 0; conduit < 3; ++conduit)
    for (std::size_t has = 0; has < 8; ++has) {
      ASSERT_TRUE(places.may_take(has));
      places.take(has);
    }
  EXPECT_EQ(64U, places.used());
  EXPECT_FALSE(places.may_take(0));
}

TEST(Places, AgreesWithTheRuleWhateverHappens) {
  std::mt19937 random(20260);
  for (int game = 0; game < 200; ++game) {
    const std::size_t total = 1 + random() % 60;
    Places places(total);
    std::vector<std::size_t> held(1 + random() % 6, 0);
    std::size_t conduits = held.size();
    places.divide(conduits, held);
    for (int step = 0; step < 300; ++step) {
      const std::size_t who = random() % held.size();
      if (random() % 40 == 0) {
        conduits = 1 + random() % 8;  // a revision; who is gone keeps what it has for a while
        if (held.size() < conduits) held.resize(conduits, 0);
        places.divide(conduits, held);
      } else if (random() % 3 == 0 && held[who] > 0) {
        places.give(held[who]--);
      } else {
        const bool may = places.may_take(held[who]);
        ASSERT_EQ(may, plainly(held, who, total, places.share(), conduits)) << game << ":" << step;
        if (may) places.take(held[who]++);
      }
      ASSERT_LE(places.used(), total);
      ASSERT_EQ(places.used(), std::accumulate(held.begin(), held.end(), std::size_t{0}));
    }
  }
}

TEST(Places, WithoutConduitsAllAreCommon) {
  Places places(3);
  places.divide(0, {});
  for (std::size_t has = 0; has < 3; ++has) {
    ASSERT_TRUE(places.may_take(has));
    places.take(has);
  }
  EXPECT_FALSE(places.may_take(0));
}

}  // namespace
}  // namespace sallyport::terminator
