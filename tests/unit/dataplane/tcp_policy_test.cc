// TCP by its numbers, as the pipeline does it: what is dropped, what goes on, and what becomes of
// the flow.
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

class TcpPolicy : public Policy {};
SALLYPORT_IN_BOTH_VERSIONS(TcpPolicy);

TEST_P(TcpPolicy, AStraySynReachesItsReceiverAndDoesNotCloseAnEstablishedFlow) {
  open_tcp();
  const auto stray = packet("scada", 40000, "plc", 502).sequence(7'000'000, 0).tcp(kTcpSyn);
  expect_out(send("scada", stray), "lan1");
  expect_out(send("plc", packet("plc", 502, "scada", 40000).tcp(kTcpAck)), "lan3");
}

// A late copy of the first SYN asks for nothing: a stranger's answer to it closes nothing.
TEST_P(TcpPolicy, ALateCopyOfTheFirstSynIsNoNewQuestion) {
  open_tcp();
  expect_out(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpSyn)), "lan1");
  const auto answer = packet("plc", 502, "scada", 40000).sequence(0x40000000, 1002);
  expect_drop(send("plc", answer.tcp(kTcpSyn | kTcpAck)), Drop::kBadTcpWindow);
  expect_out(send("plc", packet("plc", 502, "scada", 40000).tcp(kTcpAck)), "lan3");
}

// RFC 9293 §3.10.7.4 (TIME-WAIT).
TEST_P(TcpPolicy, AfterBothHaveClosedANewSynOpensAndAnOldOneDoesNot) {
  open_tcp();
  expect_out(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpFin | kTcpAck)), "lan1");
  expect_out(send("plc", packet("plc", 502, "scada", 40000).tcp(kTcpFin | kTcpAck)), "lan3");
  const auto made = [&] { return world_.pipeline().counters().flows_made; };
  const auto before = made();
  expect_out(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpSyn)), "lan1");
  EXPECT_EQ(made(), before);
  const auto anew = packet("scada", 40000, "plc", 502).sequence(70'000'000, 0).tcp(kTcpSyn);
  expect_out(send("scada", anew), "lan1");
  EXPECT_EQ(made(), before + 1);
  EXPECT_EQ(world_.pipeline().flows().size(), 1U);
}

// A segment of an open flow from a blind sender, and how each kind of it fares.
TEST_P(TcpPolicy, WhatLiesOutsideTheWindowsIsRefusedAndEndsNothing) {
  open_tcp();
  const auto blind = [&](std::uint32_t sequence, std::uint32_t acknowledgement) {
    return packet("plc", 502, "scada", 40000).sequence(sequence, acknowledgement);
  };
  constexpr std::uint32_t kFar = 0x40000000;
  for (const std::uint8_t flags : std::initializer_list<std::uint8_t>{
           kTcpRst, kTcpAck, kTcpFin | kTcpAck, kTcpSyn | kTcpAck, kTcpSyn})
    expect_drop(send("plc", blind(kFar, 1001).tcp(flags)), Drop::kBadTcpWindow);
  // An acknowledgement of what nobody sent, and one from long ago.
  expect_drop(send("plc", blind(1001, 1002).payload({1}).tcp(kTcpAck)), Drop::kBadTcpWindow);
  expect_drop(send("plc", blind(1001, 1001U - 2 * 65535U - 1).payload({1}).tcp(kTcpAck)),
              Drop::kBadTcpWindow);
  EXPECT_EQ(world_.pipeline().flows().size(), 1U);
  expect_out(send("plc", packet("plc", 502, "scada", 40000).payload({1}).tcp(kTcpAck)), "lan3");
}

// RFC 5961 §3.2: the receiver asks back. If it is silent, it was the last word of the flow.
TEST_P(TcpPolicy, AResetWithinTheWindowIsDeliveredAndTheFlowLivesIfItsReceiverSaysSo) {
  const auto near = packet("plc", 502, "scada", 40000).sequence(1500, 0).tcp(kTcpRst);
  open_tcp();
  expect_out(send("plc", near), "lan3");
  expect_out(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpAck)), "lan1");
  world_.wait(minutes(5));
  expect_out(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpAck)), "lan1");
  expect_out(send("plc", near), "lan3");
  world_.wait(minutes(5));
  EXPECT_EQ(world_.pipeline().flows().size(), 0U);
}

// It says nothing of the flow: repeated, it must not keep one alive that is over at both ends.
TEST_P(TcpPolicy, ASynIntoAClosingFlowReachesItsReceiverAndDoesNotProlongIt) {
  open_tcp();
  expect_out(send("scada", packet("scada", 40000, "plc", 502).tcp(kTcpFin | kTcpAck)), "lan1");
  const auto syn = packet("scada", 40000, "plc", 502).sequence(70'000'000, 0).tcp(kTcpSyn);
  for (int i = 0; i < 4; ++i) {
    world_.wait(minutes(1) - seconds(1));
    expect_out(send("scada", syn), "lan1");
  }
  world_.wait(seconds(10));
  EXPECT_EQ(world_.pipeline().flows().size(), 0U);
}

// Both ends lost the connection, the gateway did not: a power cut on its far side.
TEST_P(TcpPolicy, AClientThatForgotItsFlowComesBackFromTheSamePort) {
  open_tcp();
  const auto syn = packet("scada", 40000, "plc", 502).sequence(70'000'000, 0).tcp(kTcpSyn);
  const auto answer =
      packet("plc", 502, "scada", 40000).sequence(900'000, 70'000'001).tcp(kTcpSyn | kTcpAck);
  expect_out(send("scada", syn), "lan1");
  expect_drop(send("plc", answer), Drop::kBadTcpState);
  expect_out(send("scada", syn), "lan1");
  expect_out(send("plc", answer), "lan3");
  expect_out(
      send("scada", packet("scada", 40000, "plc", 502).sequence(70'000'001, 900'001).tcp(kTcpAck)),
      "lan1");
}

}  // namespace
}  // namespace sallyport::testing
