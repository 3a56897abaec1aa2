#include "control/config/services.h"

#include <gtest/gtest.h>

namespace sallyport::control {
namespace {

TEST(Services, NameAndNumberMeanTheSamePort) {
  const auto by_name = parse_service("modbus");
  const auto by_number = parse_service("tcp/502");
  ASSERT_TRUE(by_name && by_number);
  EXPECT_EQ(by_name->ports, by_number->ports);
  EXPECT_EQ(by_name->protocol, by_number->protocol);
  EXPECT_TRUE(by_number->plaintext) << "a number must not hide a plaintext protocol";
}

TEST(Services, RangeThatHoldsAPlaintextPortIsPlaintext) {
  EXPECT_TRUE(parse_service("tcp/79-81")->plaintext);
  EXPECT_FALSE(parse_service("tcp/20001-20100")->plaintext);
  EXPECT_FALSE(parse_service("udp/502")->plaintext);
}

TEST(Services, EchoIsAMessageTypeNotAPort) {
  const auto echo = parse_service("icmp-echo");
  ASSERT_TRUE(echo);
  EXPECT_EQ(echo->protocol, IpProtocol::kIcmp);
  EXPECT_EQ(echo->ports, (PortRange{8, 8}));
}

TEST(Services, EveryNameOfTheTableParsesToItsRow) {
  for (const KnownService& service : known_services()) {
    const auto spec = parse_service(service.name);
    ASSERT_TRUE(spec) << service.name;
    EXPECT_EQ(spec->ports, (PortRange{service.port, service.port})) << service.name;
    EXPECT_EQ(spec->plaintext, service.plaintext) << service.name;
  }
}

TEST(Services, OtherFormsAreNothing) {
  for (const char* text : {"", "tcp", "tcp/", "tcp/0", "tcp/65536", "tcp/20-10", "tcp/1-", "tcp/-1",
                           "tcp/007", "sctp/1", "MODBUS", "tcp/5 ", "udp/1-2-3", "icmp"})
    EXPECT_FALSE(parse_service(text)) << text;
}

}  // namespace
}  // namespace sallyport::control
