#include "policy/base/net.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

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

// What is done with words is what its bytes say.
TEST(IpAddress, WordsAreItsBytes) {
  std::mt19937 random(7);
  using Bytes = std::array<std::uint8_t, 16>;
  const auto some = [&] {
    Bytes b{};
    // Few values, so that addresses are equal, mapped or special often enough.
    const auto byte = [&] { return std::array<std::uint8_t, 4>{0, 1, 0x80, 0xff}[random() % 4]; };
    const unsigned from = std::array<unsigned, 4>{0, 8, 12, 15}[random() % 4];
    for (unsigned i = from; i < 16; ++i) b[i] = byte();
    if (random() % 2 == 0) b[10] = b[11] = 0xff;
    return b;
  };
  const auto mapped = [](const Bytes& b) {
    return std::all_of(b.begin(), b.begin() + 10, [](auto x) { return x == 0; }) && b[10] == 0xff &&
           b[11] == 0xff;
  };
  for (int i = 0; i < 20'000; ++i) {
    const Bytes x = some(), y = some();
    const IpAddress a = IpAddress::v6(x), b = IpAddress::v6(y);
    ASSERT_EQ(a.bytes(), x);
    ASSERT_EQ(a == b, x == y);
    ASSERT_EQ(a <=> b, x <=> y);
    ASSERT_EQ(a.is_v4(), mapped(x)) << a.to_string();
    if (a.is_v4()) {
      const std::array<std::uint8_t, 4> last = {x[12], x[13], x[14], x[15]};
      ASSERT_EQ(a.v4_value(), std::uint32_t{x[12]} << 24 | std::uint32_t{x[13]} << 16 |
                                  std::uint32_t{x[14]} << 8 | x[15]);
      ASSERT_EQ(IpAddress::v4(a.v4_value()), a);
      ASSERT_EQ(IpAddress::v4_bytes(last), a);
    }
    const bool nothing = std::all_of(x.begin(), x.end(), [](auto c) { return c == 0; });
    ASSERT_EQ(a.is_unspecified(), nothing || (a.is_v4() && a.v4_value() == 0)) << a.to_string();
    const bool one = std::all_of(x.begin(), x.begin() + 15, [](auto c) { return c == 0; });
    ASSERT_EQ(a.is_loopback(), a.is_v4() ? x[12] == 127 : one && x[15] == 1) << a.to_string();
  }
  EXPECT_TRUE(IpAddress::parse("::1")->is_loopback());
  EXPECT_TRUE(IpAddress::parse("127.1.2.3")->is_loopback());
}

TEST(MacAddress, IsOneWordOfItsBytes) {
  const MacAddress mac({0x02, 0x11, 0x22, 0x33, 0x44, 0x55});
  EXPECT_EQ(mac.word(), 0x554433221102U);
  for (unsigned i = 0; i < 6; ++i) {
    auto bytes = mac.bytes();
    bytes[i] ^= 0x80;
    EXPECT_NE(MacAddress(bytes), mac) << i;
    bytes = {};
    EXPECT_TRUE(MacAddress(bytes).is_zero());
    bytes[i] = 1;
    EXPECT_FALSE(MacAddress(bytes).is_zero()) << i;
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

// Of an address of this version, the same with one bit of it turned, counted from the first.
IpAddress with_turned(const IpAddress& address, unsigned bit) {
  auto bytes = address.bytes();
  const unsigned at = address.is_v4() ? bit + 96 : bit;
  bytes[at / 8] = static_cast<std::uint8_t>(bytes[at / 8] ^ (0x80U >> at % 8));
  return IpAddress::v6(bytes);
}

TEST(IpPrefix, FixesItsFirstBitsAndNoOthers) {
  for (const char* text : {"10.20.30.40", "2001:db8:1234:5678:9abc:def0:1234:5678"}) {
    const IpAddress address = *IpAddress::parse(text);
    const unsigned bits = address.is_v4() ? 32 : 128;
    for (unsigned length = 0; length <= bits; ++length) {
      const IpPrefix prefix = *IpPrefix::make(address, length);
      EXPECT_TRUE(prefix.contains(address)) << prefix.to_string();
      for (unsigned bit = 0; bit < bits; ++bit)
        EXPECT_EQ(prefix.contains(with_turned(address, bit)), bit >= length)
            << prefix.to_string() << " and bit " << bit;
    }
  }
  // Each address is of one version, whatever no bit of it has to be.
  EXPECT_FALSE(IpPrefix::parse("::/0")->contains(*IpAddress::parse("10.20.30.40")));
  EXPECT_FALSE(IpPrefix::parse("0.0.0.0/0")->contains(*IpAddress::parse("2001:db8::1")));
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
