// The engine against its naive twin under seeded random schedules. A failure prints its seed.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/admission_duel.h"

namespace sallyport::admission::test {
namespace {

TEST(AdmissionTwin, AgreesOnEveryDecisionOfRandomSchedules) {
  for (std::uint32_t seed = 1; seed <= 4000; ++seed) {
    std::mt19937 random(seed);
    const auto choose = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
    Duel duel(choose);
    for (int i = 0; i < 1500; ++i) {
      const auto difference = duel.step(choose);
      ASSERT_FALSE(difference) << *difference << "\nseed " << seed << " step " << i << " at "
                               << duel.now().count();
    }
  }
}

}  // namespace
}  // namespace sallyport::admission::test
