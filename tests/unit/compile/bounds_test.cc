// What a conduit may say in figures, and what becomes of it in the tables.
#include <gtest/gtest.h>

#include <functional>

#include "policy/compile/compile.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/unit/compile/conduits.h"

namespace sallyport::compile {
namespace {

using model::Gateway;
using testing::device;
using testing::echo;
using testing::tcp;
using testing::udp;

struct Case {
  const char* name;
  std::function<void(Gateway&)> mistake;
  const char* code;
  const char* says;
};
const Case kMistakes[] = {
    {"a timeout of another protocol",
     [](Gateway& g) {
       conduit(g, device("meter"), device("camera"), tcp(80)).timeouts.seconds[3] = 60;
     },
     "bad-timeout", "`udp`"},
    {"a timeout that is too short",
     [](Gateway& g) {
       conduit(g, device("meter"), device("camera"), tcp(80)).timeouts.seconds[0] = 9;
     },
     "bad-timeout", "`established` of 9s"},
    {"a timeout that is too long",
     [](Gateway& g) {
       conduit(g, device("meter"), device("camera"), udp(80)).timeouts.seconds[3] = 64'801;
     },
     "bad-timeout", "64801s"},
    {"too many handshakes in flight",
     [](Gateway& g) {
       conduit(g, device("meter"), device("camera"), tcp(80)).admission.inflight = 65'536;
     },
     "bad-admission", "65536"},
};

TEST(Bounds, WhatIsBeyondThemIsRefusedWithItsLine) {
  for (const Case& c : kMistakes) {
    Gateway gateway = testing::bare_gateway();
    c.mistake(gateway);
    const auto out = compile(gateway, {});
    ASSERT_FALSE(out) << c.name;
    ASSERT_EQ(out.error().size(), 1U) << c.name;
    EXPECT_EQ(out.error()[0].code, c.code) << c.name;
    EXPECT_EQ(out.error()[0].at.line, 100U) << c.name;
    EXPECT_NE(out.error()[0].message.find(c.says), std::string::npos) << out.error()[0].message;
    EXPECT_FALSE(out.error()[0].hint.empty()) << c.name;
  }
}

std::string warnings_of(const Gateway& gateway) {
  std::string out;
  for (const model::Diagnostic& d : testing::compiled(gateway).warnings) out += d.code + " ";
  return out;
}

// RFC 5382 and its like ask a NAT for it; who is terminated speaks with the gateway itself.
TEST(Bounds, TellWhoMayBeSilentForLessThanItsRfcAsksFor) {
  Gateway gateway = testing::bare_gateway();
  conduit(gateway, device("scada"), device("camera"), tcp(80)).timeouts.seconds = {7'440, 240, 5, 0,
                                                                                   0};
  conduit(gateway, device("scada"), device("camera"), udp(80)).timeouts.seconds[3] = 120;
  conduit(gateway, device("scada"), device("camera"), echo()).timeouts.seconds[4] = 60;
  EXPECT_EQ(warnings_of(gateway), "");
  gateway.conduits[0].timeouts.seconds = {7'439, 239, 5, 0, 0};
  gateway.conduits[1].timeouts.seconds[3] = 119;
  gateway.conduits[2].timeouts.seconds[4] = 59;
  EXPECT_EQ(warnings_of(gateway), "timeout-short timeout-short timeout-short timeout-short ");
  EXPECT_EQ(
      testing::compiled(gateway).warnings[0].message,
      "conduit c0: `established` of 7439s is less than the 124m that RFC 5382 REQ-5 asks for; "
      "who is silent for longer is cut off without a word");

  Gateway terminated = testing::bare_gateway();
  conduit(terminated, device("scada"), device("press4"), tcp(502)).timeouts.seconds = {30, 30, 0, 0,
                                                                                       0};
  inspect(terminated.conduits[0]);
  EXPECT_EQ(warnings_of(terminated), "");
}

// By its protocol; of a terminated conduit longer than its conversation, which the terminator is
// told; of a service of the gateway's own nothing.
TEST(Bounds, RulesSayHowLongTheirFlowsMayBeSilent) {
  Gateway gateway = testing::bare_gateway();
  conduit(gateway, device("scada"), device("camera"), tcp(80)).timeouts.seconds = {900, 60, 10, 0,
                                                                                   0};
  conduit(gateway, device("scada"), device("camera"), udp(80)).timeouts.seconds[3] = 30;
  conduit(gateway, device("scada"), device("camera"), echo()).timeouts.seconds[4] = 20;
  conduit(gateway, device("scada"), device("press4"), tcp(502)).timeouts.seconds = {900, 60, 10, 0,
                                                                                    0};
  inspect(gateway.conduits[3]);
  conduit(gateway, device("camera"), device("scada"), tcp(80));
  const Compiled out = testing::compiled(gateway);
  const wire::SnapshotView view = testing::view_of(out);
  using Said = std::array<unsigned, wire::kSilences>;
  const auto said = [&](std::string_view key) {
    const auto* s = view.rules()[out.slots.rules.find(key)->second].silence_s();
    return Said{s->Get(0), s->Get(1), s->Get(2)};
  };
  EXPECT_EQ(said("c0/direct"), (Said{900, 60, 10}));
  EXPECT_EQ(said("c1/direct"), (Said{30, 0, 0}));
  EXPECT_EQ(said("c2/direct"), (Said{20, 0, 0}));
  EXPECT_EQ(said("c3/leg-a"), (Said{910, 70, 10}));
  EXPECT_EQ(said("c3/leg-b"), (Said{910, 70, 10}));
  EXPECT_EQ(said("c4/direct"), Said{});
  EXPECT_EQ(said("builtin:dns:field/host"), Said{});
  const wire::Termination* terminated = view.conduit(out.slots.conduits.at("c3"))->termination();
  EXPECT_EQ(terminated->idle_s(), 900);
  EXPECT_EQ(terminated->half_closed_s(), 60);
}

}  // namespace
}  // namespace sallyport::compile
