#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <random>

#include "dataplane/checksum.h"
#include "dataplane/flow/credits.h"
#include "dataplane/flow/tcp_state.h"
#include "tests/support/flow_table_twin.h"

namespace sallyport::testing {
namespace {

using namespace dataplane;  // NOLINT(google-build-using-namespace): one folder's tests

TEST(FlowTable, AgreesWithItsTwinOnRandomHistories) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    FlowTableDuel duel;
    for (int i = 0; i < 5000; ++i) {
      const std::uint64_t r = random();
      duel.step(static_cast<std::uint8_t>(r), static_cast<std::uint8_t>(r >> 8),
                static_cast<std::uint8_t>(r >> 16));
    }
  }
}

TEST(FlowTable, AKeyIsOneFlowsWhicheverOfItsTwoItIs) {
  FlowTable table(64, {0xfeed, 0xbeef}, Instant::from_ns(0));
  Opening first;
  first.flow.client = IpAddress::v4(0x0b000000);
  first.flow.at_client.port = 40'000;
  first.flow.server = IpAddress::v4(0x0a000001);
  first.flow.stand_in_port = first.flow.at_server.port = 502;
  ASSERT_NE(table.insert(first), nullptr);
  Opening same_client = first;
  same_client.flow.stand_in_port = 503;
  same_client.stand_in = IpAddress::v4(0x0a0000ff);
  EXPECT_EQ(table.insert(same_client), nullptr);
  Opening same_server = first;
  same_server.flow.server = IpAddress::v4(0x0a000002);
  same_server.stand_in = first.flow.server;
  EXPECT_EQ(table.insert(same_server), nullptr);
  Opening to_itself;
  to_itself.flow.client = to_itself.flow.server = IpAddress::v4(0x0a000003);
  EXPECT_EQ(table.insert(to_itself), nullptr);
  EXPECT_EQ(table.size(), 1U);
}

// Looking ahead keeps what it found out about the next one; another may have its place by then.
TEST(FlowTable, WhoWasToGiveWayNextMayGoBeforeAndAnotherTakeItsPlace) {
  constexpr std::uint32_t kCapacity = 8;
  FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
  const auto silent_for = [](const Flow&) { return Duration(0); };
  Opening opening;
  Flow& flow = opening.flow;
  flow.server = IpAddress::v4(0x0a000001);
  std::vector<Flow*> here;
  for (std::uint32_t i = 0; i < kCapacity; ++i) {
    flow.client = IpAddress::v4(0x0b000000 + i);
    here.push_back(table.insert(opening));
  }
  ASSERT_EQ(table.gives_way(kNoDevice, silent_for), here[0]);
  table.erase(*here[1]);
  flow.client = IpAddress::v4(0x0c000000);
  ASSERT_EQ(table.insert(opening), here[1]) << "the place that was left last";
  table.erase(*here[1]);
  EXPECT_FALSE(table.find(flow.client_key()));
  table.erase(*table.gives_way(kNoDevice, silent_for).value());
  EXPECT_EQ(table.gives_way(kNoDevice, silent_for), here[2]);
  EXPECT_EQ(table.size(), kCapacity - 2);
}

TEST(FlowTable, TakesNoMoreMemoryThanItSays) {
  constexpr std::uint32_t kCapacity = 1U << 20;
  const FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
  EXPECT_LT(static_cast<double>(table.bytes()) / kCapacity, 120.5);
  // All ports of both uplinks: 22 bytes each, a hash chain's head and each device's count.
  const PortMappings mappings({0xfeed, 0xbeef});
  EXPECT_LT(static_cast<double>(table.bytes() + mappings.bytes()) / kCapacity, 125);
  EXPECT_GT(mappings.bytes(), std::size_t{6} * mappings.capacity() * 22);
}

// One reply, and nothing since: the packet moved no list.
TEST(FlowTable, AnAnsweredUdpFlowIsJudgedAsOpenWhereverItStands) {
  FlowTable table(2, {0xfeed, 0xbeef}, Instant::from_ns(0));
  Opening opening;
  Flow& flow = opening.flow;
  flow.protocol = IpProtocol::kUdp;
  flow.server = IpAddress::v4(0x0a000001);
  flow.client = IpAddress::v4(0x0b000000);
  Flow* const answered = table.insert(opening);
  flow.client = IpAddress::v4(0x0c000000);
  Flow* const unanswered = table.insert(opening);
  ++answered->packets[1];
  Duration silence = std::chrono::seconds(1);
  const auto silent_for = [&](const Flow&) { return silence; };
  EXPECT_EQ(table.gives_way(kNoDevice, silent_for), unanswered);
  ++unanswered->packets[1];
  EXPECT_EQ(table.gives_way(kNoDevice, silent_for), std::unexpected(Drop::kFlowTableFull));
  silence = EvictionOrder::kGivesWayAfter;
  EXPECT_EQ(table.gives_way(kNoDevice, silent_for), unanswered)
      << "passed over first, so filed first";
  table.erase(*unanswered);
  EXPECT_EQ(table.gives_way(kNoDevice, silent_for), answered);
}

// Who fills a table keeps what he has, and takes nobody's place beyond his share.
TEST(FlowTable, OfADeviceWithItsShareOnlyItsOwnFlowsGiveWay) {
  constexpr std::uint32_t kCapacity = 16;
  constexpr DeviceSlot kModest = 1, kGreedy = 2;
  FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
  const auto silent_for = [](const Flow&) { return Duration(0); };
  Opening opening;
  Flow& flow = opening.flow;
  flow.server = IpAddress::v4(0x0a000001);
  const auto open = [&](DeviceSlot device) {
    flow.client = IpAddress::v4(flow.client.v4_value() + 1);
    flow.at_client.live(device, 0);
    return table.insert(opening);
  };
  flow.client = IpAddress::v4(0x0b000000);
  Flow* const modest = open(kModest);
  while (!table.full()) ASSERT_NE(open(kGreedy), nullptr);
  EXPECT_EQ(table.would_refuse(kGreedy, silent_for), Drop::kFlowDeviceLimit);
  EXPECT_EQ(table.gives_way(kGreedy, silent_for), std::unexpected(Drop::kFlowDeviceLimit));
  EXPECT_EQ(table.would_refuse(kModest, silent_for), std::nullopt);
  EXPECT_EQ(table.gives_way(kModest, silent_for), modest) << "the oldest";
  // Its own oldest goes for the greedy one's next, and for anybody else's.
  table.erase(*modest);
  ASSERT_NE(open(kModest), nullptr);
  EXPECT_EQ(table.gives_way(kGreedy, silent_for).value()->at_client.device(), kGreedy);
  EXPECT_EQ(table.gives_way(kNoDevice, silent_for).value()->at_client.device(), kGreedy);
}

// Half of the table for all who are not enrolled.
TEST(FlowTable, OthersAreOneDeviceWithALargerShare) {
  constexpr std::uint32_t kCapacity = 16;
  FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
  const auto silent_for = [](const Flow&) { return Duration(0); };
  Opening opening;
  Flow& flow = opening.flow;
  flow.server = IpAddress::v4(0x0a000001);
  for (std::uint32_t i = 0; i < kCapacity; ++i) {
    flow.client = IpAddress::v4(0x0b000000 + i);
    flow.at_client.live(i < 9 ? 1 : kNoDevice, 0);
    ASSERT_NE(table.insert(opening), nullptr);
  }
  EXPECT_EQ(table.would_refuse(kNoDevice, silent_for), std::nullopt) << "they hold 7";
  table.erase(*table.gives_way(kNoDevice, silent_for).value());
  flow.client = IpAddress::v4(0x0c000000);
  flow.at_client.live(kNoDevice, 0);
  ASSERT_NE(table.insert(opening), nullptr);
  EXPECT_EQ(table.would_refuse(kNoDevice, silent_for), Drop::kFlowDeviceLimit);
}

TEST(FlowTable, LooksAtNoMoreThanItSaysPerNewFlow) {
  constexpr std::uint32_t kCapacity = 1000;
  FlowTable table(kCapacity, {0xfeed, 0xbeef}, Instant::from_ns(0));
  Opening opening;
  Flow& flow = opening.flow;
  flow.server = IpAddress::v4(0x0a000001);
  flow.tcp.state = TcpState::kEstablished;
  for (std::uint32_t i = 0; i < kCapacity; ++i) {
    flow.client = IpAddress::v4(0x0b000000 + i);
    ASSERT_NE(table.insert(opening), nullptr);
  }
  // Only the last one filed is silent: it is found, a few looks at a time.
  std::size_t looked = 0, asked = 0;
  const auto silent_for = [&](const Flow& f) {
    ++looked;
    return f.client == flow.client ? EvictionOrder::kGivesWayAfter : Duration(0);
  };
  Flow* found = nullptr;
  while (found == nullptr && asked < kCapacity) {
    found = table.gives_way(kNoDevice, silent_for).value_or(nullptr);
    EXPECT_LE(looked, EvictionOrder::kLooks * ++asked);
  }
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->client, flow.client);
}

TEST(TcpState, AnOrdinaryLifeGoesAsTheRfcSays) {
  using enum TcpState;
  using enum TcpEvent;
  // An ordinary life.
  TcpState s = kSynSent;
  for (const auto& [event, next] : {std::pair{kServerSynAck, kSynReceived},
                                    {kClientAck, kEstablished},
                                    {kServerAck, kEstablished},
                                    {kClientFin, kClientClosing},
                                    {kServerAck, kClientClosing},
                                    {kServerFin, kBothClosing},
                                    {kClientAck, kBothClosing}}) {
    const TcpCell cell = tcp_next(s, event);
    EXPECT_EQ(cell.action, event == kServerSynAck ? TcpAction::kBegin : TcpAction::kPass);
    EXPECT_EQ(cell.next, next);
    s = cell.next;
  }
  EXPECT_EQ(tcp_next(kBothClosing, kClientSyn).action, TcpAction::kReopenIfNew);
}

TEST(TcpState, WhatCannotBeATransitionIsNone) {
  using enum TcpAction;
  using enum TcpState;
  for (std::size_t state = 0; state < kTcpStates; ++state) {
    for (std::size_t event = 0; event < kTcpEvents; ++event) {
      const auto from = static_cast<TcpState>(state);
      const TcpCell cell = tcp_next(from, static_cast<TcpEvent>(event));
      const std::string where =
          std::string(kTcpStateNames[state]) + ", " + std::string(kTcpEventNames[event]);
      const auto is_one_of = [&](std::initializer_list<TcpAction> actions) {
        return std::ranges::find(actions, cell.action) != actions.end();
      };
      const bool reset = event == 4 || event == 9;
      EXPECT_TRUE(cell.next == from ||
                  !is_one_of({kRefuse, kReopen, kReopenIfNew, kCarry, kQuestion}))
          << where;
      EXPECT_TRUE(cell.next == kClosed || !is_one_of({kReset, kRefusal})) << where;
      EXPECT_TRUE(!reset || is_one_of({kReset, kRefusal, kCarry})) << where;
      EXPECT_TRUE(reset || !is_one_of({kReset, kRefusal})) << where;
      // Over is over, and only a client's SYN is a beginning.
      EXPECT_TRUE(from != kClosed || cell.next == kClosed) << where;
      EXPECT_TRUE(event == 0 || !is_one_of({kReopen, kReopenIfNew, kAskAnew})) << where;
      // A server's SYN crosses the client's or is another copy of one that did.
      EXPECT_TRUE(event != 5 || from == kSynSent || is_one_of({kRefuse, kPass})) << where;
    }
  }
}

TEST(Checksum, TheIncrementalUpdateEqualsFullRecomputation) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    std::array<std::uint8_t, 40> bytes;
    for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
    bytes[10] = bytes[11] = 0;
    InternetSum sum;
    sum.add(ConstBytes(bytes));
    const std::uint16_t before = sum.finish();
    const std::array<std::uint8_t, 4> old = {bytes[12], bytes[13], bytes[14], bytes[15]};
    const std::array<std::uint8_t, 2> port = {bytes[20], bytes[21]};
    std::array<std::uint8_t, 4> now;
    for (auto& b : now) b = static_cast<std::uint8_t>(i % 5 == 0 ? 0 : random());
    std::ranges::copy(now, bytes.begin() + 12);
    bytes[20] = static_cast<std::uint8_t>(random());
    InternetSum again;
    again.add(ConstBytes(bytes));
    const std::array<std::uint8_t, 2> other = {bytes[20], bytes[21]};
    const std::uint64_t change = change_of<4>(old, now) + change_of<2>(port, other);
    EXPECT_EQ(std::byteswap(corrected(std::byteswap(before), change)), again.finish()) << i;
  }
}

class Ring : public ::testing::Test {
 protected:
  Ring() : memory_(std::make_unique<wire::HandoverMemory>()) { credits_.attach(memory_.get()); }
  Instant now_ = Instant::from_ns(1'000'000'000);
  std::unique_ptr<wire::HandoverMemory> memory_;
  Counters counters_;
  Credits credits_{counters_};
};

TEST_F(Ring, AReturnCountsOnlyForAGrantOfItsGeneration) {
  wire::HandoverConsumer granted(memory_->to_terminator);
  wire::HandoverProducer returns(memory_->to_dataplane);
  ASSERT_TRUE(credits_.grant(7, 1, 42, now_));
  EXPECT_FALSE(credits_.grant(7, 1, 43, now_)) << "the bound is 1";
  wire::HandoverRecord record;
  ASSERT_TRUE(granted.pop(record));
  wire::HandoverRecord back = record;
  back.kind = wire::HandoverKind::kCreditReturned;
  auto stale = back;
  ++stale.generation;
  auto foreign = back;
  foreign.id = 99;
  for (const auto& lie : {stale, foreign, record}) {
    ASSERT_TRUE(returns.push(lie));
    credits_.poll(now_);
    EXPECT_EQ(credits_.in_flight(7), 1U);
  }
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(returns.push(back));
    credits_.poll(now_);
    EXPECT_EQ(credits_.in_flight(7), 0U) << "a second return of one grant does nothing";
  }
  EXPECT_EQ(counters_.credits_returned, 1U);
  EXPECT_EQ(counters_.credits_refused, 4U);
}

TEST_F(Ring, WhatIsNeverReturnedIsReclaimed) {
  ASSERT_TRUE(credits_.grant(7, 1, 42, now_));
  now_ = now_ + Credits::kReclaimAfter;
  for (std::size_t i = 0; i < 40; ++i) credits_.poll(now_);
  EXPECT_EQ(credits_.in_flight(7), 0U);
  EXPECT_EQ(counters_.credits_reclaimed, 1U);
}

}  // namespace
}  // namespace sallyport::testing
