// What compiles: its warnings, and what the tables then hold.
#include <gtest/gtest.h>

#include "policy/compile/compile.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/unit/compile/conduits.h"

namespace sallyport::compile {
namespace {

using model::Gateway;
using testing::addresses;
using testing::device;
using testing::echo;
using testing::ip;
using testing::name;
using testing::outbound;
using testing::segment;
using testing::tcp;
using testing::udp;

std::string warnings_of(const Gateway& gateway) {
  std::string out;
  for (const model::Diagnostic& d : testing::compiled(gateway).warnings) out += d.code + " ";
  return out;
}

TEST(Warnings, TellWhatCompilesToNothing) {
  Gateway versions = testing::bare_gateway();
  versions.devices[3].addresses = {ip("10.30.0.5")};
  versions.devices[2].addresses = {ip("fd00:20::7")};
  conduit(versions, device("scada"), device("camera"), tcp(80));
  EXPECT_EQ(warnings_of(versions), "rule-without-effect ");

  Gateway silent = testing::bare_gateway();
  silent.devices[2].addresses.clear();
  conduit(silent, device("scada"), device("camera"), tcp(80));
  EXPECT_EQ(warnings_of(silent), "device-without-address rule-without-effect ");
  inspect(silent.conduits[0]);
  EXPECT_EQ(warnings_of(silent), "device-without-address ");
}

TEST(Warnings, TellWhereNobodyResolvesAName) {
  Gateway direct = testing::bare_gateway();
  conduit(direct, device("scada"), name("a.example"), tcp(443));
  EXPECT_EQ(warnings_of(direct), "name-without-resolver ");
  direct.segments[2].services |= model::kDns;
  EXPECT_EQ(warnings_of(direct), "");
  Gateway terminated = testing::bare_gateway();
  conduit(terminated, device("scada"), name("a.example"), tcp(443)).terminate =
      outbound("a.example", 8883);
  EXPECT_EQ(warnings_of(terminated), "name-without-resolver ");
  dialler(terminated, name("b.example"));
  EXPECT_EQ(warnings_of(terminated), "name-without-resolver ");
}

TEST(Compiled, AReviewWithoutEndNeverEnds) {
  Gateway gateway = testing::bare_gateway();
  conduit(gateway, device("scada"), device("camera"), tcp(80)).review->expires_day = 0;
  CompileInput input;
  input.today = 1'000'000;
  const Compiled out = testing::compiled(gateway, input);
  EXPECT_TRUE(out.warnings.empty());
  EXPECT_TRUE(out.slots.rules.contains("c0/direct"));
}

// Where the builder puts what has no entries, depends on the bytes before it.
TEST(Compiled, ATableWithoutEntriesMayLieAnywhere) {
  for (std::size_t length = 1; length <= 16; ++length) {
    CompileInput input;
    input.config_name = std::string(length, 'x');
    const auto out = compile(Gateway(), input);
    EXPECT_TRUE(out) << length << ": " << model::to_string(out.error().front());
  }
}

TEST(Compiled, ResolversAreTheGatewaysOwnDnsServersOnce) {
  const auto resolvers = [](const Gateway& g) {
    const Compiled out = testing::compiled(g);
    std::vector<IpAddress> list;
    for (const wire::Address* a : *testing::view_of(out).root().resolvers())
      list.push_back(wire::to_ip(*a));
    return list;
  };
  Gateway gateway = testing::bare_gateway();
  conduit(gateway, device("scada"), addresses({"203.0.113.50"}), udp(53));
  conduit(gateway, device("gateway"), addresses({"203.0.113.51"}), udp(123));
  conduit(gateway, device("gateway"), addresses({"203.0.113.52"}), echo());
  EXPECT_TRUE(resolvers(gateway).empty());
  conduit(gateway, device("gateway"), addresses({"203.0.113.53", "203.0.113.54"}), udp(53));
  conduit(gateway, device("gateway"), addresses({"203.0.113.54", "203.0.113.53"}), tcp(50, 60));
  EXPECT_EQ(resolvers(gateway), (std::vector{ip("203.0.113.53"), ip("203.0.113.54")}));
  // A prefix of servers is not asked one by one without end.
  conduit(gateway, device("gateway"), segment("uplink", {"203.0.112.0/24"}), udp(53));
  EXPECT_EQ(resolvers(gateway).size(), 16U);
  gateway.conduits.back().review.reset();
  EXPECT_EQ(resolvers(gateway).size(), 2U);
}

TEST(Compiled, SummariesAreShortAndSayWhatIsMeant) {
  Gateway gateway = testing::bare_gateway();
  conduit(gateway, segment("uplink", {"203.0.113.0/24", "198.51.100.0/24"}), device("camera"),
          tcp(80, 81));
  conduit(gateway, device("meter"),
          addresses({"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4"}), udp(53));
  conduit(gateway, device("camera"),
          addresses({"203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5",
                     "203.0.113.6"}),
          tcp(443));
  conduit(gateway, segment("office"), device("press4"), echo());
  conduit(gateway, device("camera"), name("a.example"), udp(123));
  const Compiled out = testing::compiled(gateway);
  std::vector<std::string> said;
  for (const wire::Conduit* c : *testing::view_of(out).root().conduits())
    said.emplace_back(wire::text(c->summary()));
  const std::string four = "203.0.113.1, 203.0.113.2, 203.0.113.3, 203.0.113.4";
  EXPECT_EQ(said, (std::vector<std::string>{
                      "uplink 203.0.113.0/24, 198.51.100.0/24 -> camera tcp/80-81",
                      "meter -> " + four + " udp/53", "camera -> " + four + " and 2 more tcp/443",
                      "office -> press4 icmp-echo", "camera -> a.example udp/123"}));
}

TEST(Compiled, VirtualAddressesComeFromTheConfiguredRanges) {
  Gateway gateway = testing::bare_gateway();
  gateway.virtual_ranges = {testing::prefix("100.64.7.0/24"), testing::prefix("fdaa:bb::/64")};
  dialler(gateway);
  const Compiled out = testing::compiled(gateway);
  EXPECT_EQ(out.slots.virtual_addresses.at({"field", "a.example"}),
            (std::vector{ip("100.64.7.1"), ip("fdaa:bb::1")}));
}

// Tables carry nothing that is not needed: no table for no rule, one range for one decision.
TEST(Compiled, TablesAreAsSmallAsTheyCanBe) {
  Gateway gateway = testing::bare_gateway();
  for (model::Segment& s : gateway.segments) s.services = 0;
  EXPECT_EQ(testing::view_of(testing::compiled(gateway)).pairs().size(), 0U);
  inspect(conduit(gateway, device("scada"), device("press4"), tcp(502)));
  gateway.devices[0].addresses = {ip("10.20.0.5")};
  conduit(gateway, device("gateway"), device("press4"), tcp(500, 510));
  const Compiled out = testing::compiled(gateway);
  // Leg A's port, and the gateway's conduit whose ports hold leg B's.
  EXPECT_EQ(testing::view_of(out).ranges().size(), 2U);
}

}  // namespace
}  // namespace sallyport::compile
