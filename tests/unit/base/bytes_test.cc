#include "policy/base/bytes.h"

#include <gtest/gtest.h>

#include "policy/base/units.h"

namespace sallyport {
namespace {

TEST(Cursor, AFailedReadMovesNothing) {
  const std::array<std::uint8_t, 3> bytes{1, 2, 3};
  Cursor cursor{ConstBytes(bytes)};
  EXPECT_FALSE(cursor.be32());
  EXPECT_EQ(cursor.remaining(), 3U);
  EXPECT_EQ(cursor.be16(), 0x0102);
  EXPECT_FALSE(cursor.take(2));
  EXPECT_EQ(cursor.u8(), 3);
  EXPECT_TRUE(cursor.empty());
}

TEST(BigEndian, StoresTheMostSignificantByteFirst) {
  const Be32 value = Be32::from_host(0x01020304);
  EXPECT_EQ(value.to_host(), 0x01020304U);
  EXPECT_EQ(reinterpret_cast<const std::uint8_t*>(&value)[0], 1);
}

TEST(Units, OverflowAndZeroRatesAreNothing) {
  EXPECT_FALSE(BitRate::from_mbps(UINT64_MAX));
  EXPECT_FALSE(EventRate::from_per_second(0).interval());
  EXPECT_EQ(EventRate::from_per_second(200).interval(), std::chrono::milliseconds(5));
  EXPECT_FALSE(TscCycles::from_cycles(1).at(TscHz()));
}

}  // namespace
}  // namespace sallyport
