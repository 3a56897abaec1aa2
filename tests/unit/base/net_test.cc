#include "policy/base/net.h"

#include <gtest/gtest.h>

namespace sallyport {
namespace {

TEST(IpAddress, RefusesEveryOtherSpelling) {
  for (const char* text : {"", "1.2.3", "1.2.3.4.5", "01.2.3.4", "1.2.3.256", "::ffff:1.2.3.4",
                           "fe80::1%eth0", ":::", " 1.2.3.4", "1.2.3.4 ", "12345::"}) {
    EXPECT_FALSE(IpAddress::parse(text)) << text;
  }
}

TEST(IpAddress, PrintsWhatItParses) {
  for (const char* text : {"0.0.0.0", "10.20.0.5", "255.255.255.255", "::", "::1", "fd00:20::5",
                           "2001:db8::ff00:42:8329"}) {
    const auto address = IpAddress::parse(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(address->to_string(), text);
  }
}

TEST(IpPrefix, CoversExactlyItsAddresses) {
  const auto prefix = IpPrefix::parse("10.20.0.0/23");
  ASSERT_TRUE(prefix);
  EXPECT_EQ(prefix->last(), *IpAddress::parse("10.20.1.255"));
  EXPECT_TRUE(prefix->contains(*IpAddress::parse("10.20.1.255")));
  EXPECT_FALSE(prefix->contains(*IpAddress::parse("10.20.2.0")));
  EXPECT_FALSE(prefix->contains(*IpAddress::parse("::a14:0")));
  const auto all6 = IpPrefix::parse("::/0");
  ASSERT_TRUE(all6);
  EXPECT_FALSE(all6->contains(*IpAddress::parse("1.2.3.4"))) << "IPv4 is not inside ::/0";
}

TEST(IpPrefix, RefusesHostBitsAndBadLengths) {
  for (const char* text : {"10.20.0.1/23", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "fd00::1/64",
                           "fd00::/129", "/8"}) {
    EXPECT_FALSE(IpPrefix::parse(text)) << text;
  }
}

TEST(MacAddress, LinkLocalFlipsTheUniversalBit) {
  const auto mac = MacAddress::parse("02:00:00:00:20:05");
  ASSERT_TRUE(mac);
  EXPECT_EQ(mac->link_local().to_string(), "fe80::ff:fe00:2005");
  EXPECT_FALSE(MacAddress::parse("02:00:00:00:20:5"));
  EXPECT_FALSE(MacAddress::parse("02-00-00-00-20-05"));
}

}  // namespace
}  // namespace sallyport
