#include "policy/compile/address_set.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/policy/sample_gateway.h"

namespace sallyport::compile {
namespace {

using testing::ip;
using testing::prefix;

TEST(AddressSet, NumbersAndAddressesAreTheSame) {
  for (const char* text : {"0.0.0.0", "10.20.0.5", "255.255.255.255", "::", "2001:db8::1",
                           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"})
    EXPECT_EQ(to_address(to_number(ip(text))), ip(text));
  EXPECT_TRUE(is_v4(to_number(ip("0.0.0.0"))));
  EXPECT_FALSE(is_v4(to_number(ip("::"))));
}

TEST(AddressSet, NormalisesWhatTouchesAndOverlaps) {
  const AddressSet set = AddressSet::of({{10, 20}, {21, 30}, {25, 26}, {40, 50}});
  ASSERT_EQ(set.ranges().size(), 2U);
  EXPECT_EQ(set.ranges()[0], (AddressRange{10, 30}));
  EXPECT_EQ(AddressSet::of({kEverything, {5, 6}}).ranges().size(), 1U);
}

TEST(AddressSet, SplitsByVersion) {
  const AddressSet both =
      AddressSet::of(prefix("10.0.0.0/8")).unite(AddressSet::of(prefix("::/0")));
  EXPECT_TRUE(both.of_version(IpVersion::k4).contains(to_number(ip("9.9.9.9"))));
  EXPECT_FALSE(both.of_version(IpVersion::k6).contains(to_number(ip("9.9.9.9"))));
}

// Against membership one by one over a small space.
TEST(AddressSet, AlgebraAgreesWithMembership) {
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::mt19937 engine(seed);
  const auto random = [&] { return static_cast<unsigned>(engine()); };
  constexpr unsigned kSpace = 48;
  const auto some_set = [&] {
    std::vector<AddressRange> ranges;
    for (unsigned n = random() % 6; n > 0; --n) {
      const unsigned first = random() % kSpace;
      ranges.push_back({first, first + random() % (kSpace - first)});
    }
    return AddressSet::of(ranges);
  };
  for (int round = 0; round < 2000; ++round) {
    const AddressSet a = some_set();
    const AddressSet b = some_set();
    const AddressSet both = a.intersect(b);
    const AddressSet either = a.unite(b);
    const AddressSet rest = a.subtract(b);
    for (unsigned n = 0; n <= kSpace; ++n) {
      EXPECT_EQ(both.contains(n), a.contains(n) && b.contains(n));
      EXPECT_EQ(either.contains(n), a.contains(n) || b.contains(n));
      EXPECT_EQ(rest.contains(n), a.contains(n) && !b.contains(n));
    }
    // One set has one form.
    EXPECT_EQ(rest.unite(both), a);
  }
}

}  // namespace
}  // namespace sallyport::compile
