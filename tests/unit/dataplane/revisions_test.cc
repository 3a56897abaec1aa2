// What a flow keeps of the revision under which it was last held good.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "dataplane/flow/stand_ins.h"
#include "dataplane/stages/classify.h"
#include "tests/unit/dataplane/policy_fixture.h"

namespace sallyport::testing {
namespace {

using namespace dataplane;  // NOLINT(google-build-using-namespace): one folder's tests

model::Gateway with_port(std::uint16_t port) {
  model::Gateway g = plant();
  const auto conduit = std::ranges::find(g.conduits, "scada-plc", &model::Conduit::name);
  conduit->service.text = "tcp/" + std::to_string(port);
  conduit->service.ports = {port, port};
  return g;
}

class Revisions : public ::testing::Test {
 protected:
  std::vector<Frame> syn(std::uint16_t to) {
    return world_.receive("lan3", PacketBuilder({host("scada").mac, host("scada").v4, 40000},
                                                {world_.segment_mac("office"), host("plc").v4, to})
                                      .tcp(kTcpSyn));
  }
  PipelineWorld world_{with_port(502), 4096};
};

// Its rule has the same slot and means what it meant, but not what it meant when it let this in.
TEST_F(Revisions, WhatOneAllowedThatWasTakenBackIsNotAllowedByTheOneBefore) {
  world_.apply(with_port(503));
  ASSERT_EQ(syn(503).size(), 1U);
  world_.apply(with_port(502));
  EXPECT_TRUE(syn(503).empty());
  EXPECT_EQ(world_.verdict().drop, Drop::kRevoked);
}

TEST_F(Revisions, ARuleMeansWhatItMeantUntilItChanges) {
  const auto built = [&](const Tables& like, const Tables* before) { return like.again(before); };
  const Tables& first = world_.tables();
  const RuleSlot changed = 0;
  const auto same = built(first, &first);
  EXPECT_GT(same->serial(), first.serial());
  for (RuleSlot rule = 0; rule < first.view().rules().size(); ++rule)
    EXPECT_EQ(same->still_means(rule, first.mark()), first.view().rules()[rule].valid() != 0);
  EXPECT_FALSE(same->still_means(static_cast<RuleSlot>(first.view().rules().size()), first.mark()));

  PipelineWorld other{with_port(503)};
  const auto otherwise = built(other.tables(), same.get());
  const auto back = built(first, otherwise.get());
  EXPECT_FALSE(otherwise->still_means(changed, same->mark()));
  EXPECT_TRUE(otherwise->still_means(changed, otherwise->mark()));
  EXPECT_FALSE(back->still_means(changed, first.mark())) << "not known any more, so asked again";
  EXPECT_FALSE(back->still_means(changed, otherwise->mark()));
  EXPECT_TRUE(back->still_means(changed, back->mark()));
  const auto unrelated = built(first, nullptr);
  EXPECT_FALSE(unrelated->still_means(changed, back->mark()));
}

// One thing that two flows may rest on: one between two devices, whose rule is for the client's
// whole segment, and one beyond an uplink.
struct Change {
  const char* what;
  bool inside_stands, outside_stands;
  void (*make)(model::Gateway& g);
};
model::Device& device(model::Gateway& g, const char* name) {
  return *std::ranges::find(g.devices, name, &model::Device::name);
}
model::Segment& segment(model::Gateway& g, const char* name) {
  return *std::ranges::find(g.segments, name, &model::Segment::name);
}
const Change kChanges[] = {
    {"nothing", true, true, [](model::Gateway&) {}},
    {"the rule", false, true,
     [](model::Gateway& g) { g.conduits[0].admission.per_device_per_s = 7; }},
    {"another rule", true, true,
     [](model::Gateway& g) { g.conduits[2].admission.per_device_per_s = 7; }},
    {"the client's address", false, false,
     [](model::Gateway& g) { device(g, "scada").addresses = {IpAddress::v4(0x0a1e0063)}; }},
    {"the server's MAC", false, true,
     [](model::Gateway& g) { device(g, "plc").mac = MacAddress({2, 0, 0, 0, 0, 0x63}); }},
    {"where its cable is", true, true,
     [](model::Gateway& g) { device(g, "plc").where = {"lan2", 0}; }},
    {"one device less", true, false,
     [](model::Gateway& g) {
       std::erase_if(g.conduits, [](const auto& c) { return c.name == "scada-camera"; });
       std::erase_if(g.devices, [](const auto& d) { return d.name == "camera"; });
     }},
    {"NAPT44", true, false, [](model::Gateway& g) { segment(g, "uplink").napt44 = true; }},
    {"how many are on the uplink's link", true, false,
     [](model::Gateway& g) {
       model::InterfaceAddress& own = segment(g, "uplink").addresses[1];
       own.subnet = *IpPrefix::make(own.address, 124);
     }},
    {"the segment's role", false, true,
     [](model::Gateway& g) { segment(g, "office").role = model::Role::kManagement; }},
    {"the gateway's own address", false, false,
     [](model::Gateway& g) {
       const IpAddress own = IpAddress::v4(0x0a1e0002);
       segment(g, "office").addresses[0] = {own, *IpPrefix::make(own, 24)};
     }},
};

class Standing : public ::testing::Test {
 protected:
  static model::Gateway before() {
    model::Gateway g = plant();
    g.conduits[0].from = model::SegmentEnd{"office", {}};
    return g;
  }
  Flow open(const char* from, const char* to, std::uint16_t port) {
    const Host& client = host(from);
    world_.receive(client.port,
                   PacketBuilder({client.mac, client.v4, 40000},
                                 {world_.segment_mac(client.segment), host(to).v4, port})
                       .tcp(kTcpSyn));
    for (const Flow& flow : world_.pipeline().flows().places())
      if (flow.live() && flow.client == client.v4) return flow;
    ADD_FAILURE() << from << " opens nothing";
    return {};
  }
  bool stands(const Flow& flow) const { return world_.tables().still_stands(flow); }
  // If all of it is asked for.
  bool is_allowed(Flow& flow) {
    const auto anew = world_.tables().again(nullptr);
    EXPECT_FALSE(anew->still_stands(flow));
    return allowed_by(flow, IpAddress(), *anew, world_.pipeline().names(), world_.now());
  }
  PipelineWorld world_{before()};
  const Flow inside_ = open("scada", "plc", 502), outside_ = open("meter", "cloud", 8883);
};

TEST_F(Standing, IsAskedForAnewIfSomethingChangedThatItRestsOn) {
  EXPECT_TRUE(stands(inside_) && stands(outside_));
  for (const Change& change : kChanges) {
    PipelineWorld world{before()};
    Flow inside = inside_, outside = outside_;
    inside.checked = outside.checked = world.tables().mark();
    model::Gateway changed = before();
    change.make(changed);
    for (int revisions = 0; revisions < 2; ++revisions) {
      world.apply(changed);
      EXPECT_EQ(world.tables().still_stands(inside), change.inside_stands) << change.what;
      EXPECT_EQ(world.tables().still_stands(outside), change.outside_stands) << change.what;
    }
  }
  Flow nobodys = inside_;
  nobodys.at_server.live(wire::kMaxDevices - 1, nobodys.at_server.segment());
  EXPECT_FALSE(stands(nobodys));
  nobodys.at_server.live(kNoDevice, kNoSegment);
  EXPECT_FALSE(stands(nobodys));
}

// Whatever changes and changes back, in whatever company.
TEST_F(Standing, IsAllowedIfAllOfItIsAskedFor) {
  std::mt19937 random(1);
  std::deque<Flow> held_good;
  unsigned stood = 0, fell = 0;
  for (int revision = 0; revision < 400; ++revision) {
    model::Gateway g = before();
    for (const Change& change : kChanges)
      if (random() % 6 == 0) change.make(g);
    world_.apply(g);
    for (Flow flow : held_good) {
      const bool stands_now = stands(flow);
      (stands_now ? stood : fell) += 1;
      if (stands_now) {
        ASSERT_TRUE(is_allowed(flow)) << revision;
      }
    }
    for (Flow flow : {inside_, outside_}) {
      if (!is_allowed(flow)) continue;
      flow.checked = world_.tables().mark();
      held_good.push_back(flow);
    }
    while (held_good.size() > 6) held_good.pop_front();
  }
  EXPECT_GT(stood, 100U);
  EXPECT_GT(fell, 100U);
}

// A mark has 16 bits: none may be left behind, also when no time passes.
TEST_F(Revisions, EachFlowIsLookedAtWhileAFewMoreCome) {
  for (std::uint16_t port = 1; port <= 2000; ++port)
    ASSERT_EQ(
        world_
            .receive("lan3", PacketBuilder({host("scada").mac, host("scada").v4, port},
                                           {world_.segment_mac("office"), host("plc").v4, 502})
                                 .tcp(kTcpSyn))
            .size(),
        1U);
  constexpr int kSwaps = 20;
  for (int i = 0; i < kSwaps; ++i) {
    world_.apply(with_port(502));
    world_.wait(Duration(1));
  }
  std::uint16_t behind = 0;
  for (const Flow& flow : world_.pipeline().flows().places())
    if (flow.live())
      behind = std::max(behind, static_cast<std::uint16_t>(world_.tables().mark() - flow.checked));
  EXPECT_LE(behind, 4096 / 512 + 1);
  EXPECT_EQ(world_.pipeline().flows().size(), 2000U);
}

TEST(StandIns, ArePerAddressAndGoWithTheirLastFlow) {
  StandIns book;
  const auto flow_of = [](std::uint16_t number) {
    Flow flow;
    flow.stand_in = number & (StandIns::kPlaces - 1);
    return flow;
  };
  EXPECT_EQ(book.hold(IpAddress()), 0);
  EXPECT_EQ(book.of(flow_of(0)), IpAddress());
  std::vector<std::uint16_t> numbers;
  for (std::uint32_t i = 0; i < StandIns::kMost; ++i) {
    const auto number = book.hold(IpAddress::v4(i + 1));
    ASSERT_TRUE(number);
    ASSERT_EQ(book.of(flow_of(*number)), IpAddress::v4(i + 1));
    ASSERT_EQ(book.hold(IpAddress::v4(i + 1)), number) << "the same one";
    numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  EXPECT_EQ(std::ranges::adjacent_find(numbers), numbers.end());
  const IpAddress another = *IpAddress::parse("fd00::1");
  EXPECT_FALSE(book.hold(another));
  EXPECT_EQ(book.hold(IpAddress::v4(7)), book.hold(IpAddress::v4(7)));
  const std::uint16_t seventh = *book.hold(IpAddress::v4(7));
  for (int i = 0; i < 4; ++i) book.release(seventh);
  EXPECT_FALSE(book.hold(another)) << "one flow still has it";
  book.release(seventh);
  EXPECT_EQ(book.hold(another), seventh);
  EXPECT_EQ(book.of(flow_of(seventh)), another);
  EXPECT_FALSE(book.hold(IpAddress::v4(7)));
}

// One number goes round among more flows than there are numbers; and who finds none is refused.
TEST(StandIns, GoWithTheFlowsOfATable) {
  FlowTable table(2 * StandIns::kPlaces, {0xfeed, 0xbeef}, Instant::from_ns(0));
  Opening opening;
  const auto open = [&](std::uint32_t stand_in) {
    opening.stand_in = IpAddress::v4(0x0a000000 + stand_in);
    opening.flow.client = IpAddress::v4(opening.flow.client.v4_value() + 1);
    return table.insert(opening);
  };
  opening.flow.client = IpAddress::v4(0x0b000000);
  opening.flow.server = IpAddress::v4(0x0c000000);
  for (std::uint32_t i = 0; i < 2 * StandIns::kPlaces; ++i) {
    Flow* const flow = open(i);
    ASSERT_NE(flow, nullptr) << i;
    EXPECT_EQ(table.stand_in(*flow), opening.stand_in);
    EXPECT_EQ(table.insert(opening), nullptr) << "it is there";
    table.erase(*flow);
  }
  for (std::uint32_t i = 0; i < StandIns::kMost; ++i) ASSERT_NE(open(i), nullptr) << i;
  EXPECT_EQ(open(StandIns::kMost), nullptr);
  EXPECT_NE(open(7), nullptr);
}

}  // namespace
}  // namespace sallyport::testing
