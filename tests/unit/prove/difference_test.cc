// What a change means in traffic, against the classifier asked about both.
#include "policy/prove/difference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "policy/decide/classifier.h"
#include "tests/support/policy/comparison.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::prove {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string shown(const PermittedBox& b) {
  return text_of(b.from.addresses) + " " +
         (b.to.name.empty() ? text_of(b.to.addresses) : b.to.name) + " " +
         std::to_string(b.protocol) + " " + std::to_string(b.ports.first) + "-" +
         std::to_string(b.ports.last) + " " + b.rule;
}
std::vector<std::string> shown(const std::vector<PermittedBox>& boxes) {
  std::vector<std::string> out;
  for (const PermittedBox& box : boxes) out.push_back(shown(box));
  return out;
}

struct Told {
  std::vector<std::string> allowed;
  std::vector<std::string> denied;
};
Told after(const std::function<void(model::Gateway&)>& change) {
  model::Gateway gateway = testing::sample_gateway();
  const auto before = testing::compiled(gateway);
  change(gateway);
  compile::CompileInput input;
  input.previous = before.slots;
  const auto fresh = testing::compiled(gateway, input);
  const Changes found = changes(testing::view_of(before), testing::view_of(fresh));
  EXPECT_FALSE(found.more);
  return {shown(found.allowed), shown(found.denied)};
}

TEST(Changes, NothingIsNothing) {
  const Told told = after([](model::Gateway&) {});
  EXPECT_THAT(told.allowed, IsEmpty());
  EXPECT_THAT(told.denied, IsEmpty());
}

TEST(Changes, WiderPortsAreOnlyWhatIsWider) {
  const Told told = after([](model::Gateway& g) { g.conduits[3].service = testing::tcp(79, 90); });
  EXPECT_THAT(told.allowed, ElementsAre("10.30.0.5 10.20.0.7 6 79-79 office-sees-camera",
                                        "10.30.0.5 10.20.0.7 6 82-90 office-sees-camera",
                                        "fd00:30::5 fd00:20::7 6 79-79 office-sees-camera",
                                        "fd00:30::5 fd00:20::7 6 82-90 office-sees-camera"));
  EXPECT_THAT(told.denied, IsEmpty());
}

TEST(Changes, LostReviewIsNewlyDenied) {
  const Told told = after([](model::Gateway& g) { g.conduits[4].review->stands = false; });
  EXPECT_THAT(told.allowed, IsEmpty());
  EXPECT_THAT(told.denied, ElementsAre("10.20.0.7 time.example 17 123-123 camera-time",
                                       "fd00:20::7 time.example 17 123-123 camera-time"));
}

TEST(Changes, AnotherNameOfTheSamePermissionIsNoChange) {
  const Told told = after([](model::Gateway& g) {
    g.conduits[3].name = "renamed";
    g.conduits[3].review->reason = "another";
  });
  EXPECT_THAT(told.allowed, IsEmpty());
  EXPECT_THAT(told.denied, IsEmpty());
}

TEST(Changes, JsonSaysTheSame) {
  model::Gateway gateway = testing::sample_gateway();
  const auto before = testing::compiled(gateway);
  gateway.conduits[3].service = testing::tcp(80, 82);
  const auto fresh = testing::compiled(gateway);
  const auto json =
      nlohmann::json::parse(to_json(changes(testing::view_of(before), testing::view_of(fresh))));
  ASSERT_EQ(json["allowed"].size(), 2U);
  EXPECT_EQ(json["allowed"][0]["first_port"], 82);
  EXPECT_EQ(json["denied"].size(), 0U);
  EXPECT_EQ(json["more"], false);
}

bool in(const PermittedBox& box, Number source, Number destination, std::uint8_t protocol,
        std::uint16_t port) {
  return box.to.name.empty() && box.protocol == protocol && box.ports.contains(port) &&
         box.from.addresses.first <= source && source <= box.from.addresses.second &&
         box.to.addresses.first <= destination && destination <= box.to.addresses.second;
}
std::size_t count(const std::vector<PermittedBox>& boxes, Number source, Number destination,
                  std::uint8_t protocol, std::uint16_t port) {
  return static_cast<std::size_t>(std::ranges::count_if(boxes, [&](const PermittedBox& box) {
    return in(box, source, destination, protocol, port);
  }));
}

// For two random gateways, at every edge of every box of either: a packet is in one list exactly if
// one gateway permits it and the other does not, and never in two boxes.
TEST(Changes, AreWhatTheTwoPermissionsDifferIn) {
  const std::uint32_t seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937 engine(seed);
  testing::Choices choices([&] { return static_cast<std::uint32_t>(engine()); });
  std::size_t differ = 0;
  for (int round = 0; round < 30; ++round) {
    const auto one = testing::agree(testing::random_gateway(choices), {});
    const auto other = testing::agree(testing::random_gateway(choices), {});
    if (!one || !other) continue;
    const auto before_view = testing::view_of(one->compiled);
    const auto after_view = testing::view_of(other->compiled);
    const auto old = permitted(before_view, "", "", 100'000).boxes;
    const auto fresh = permitted(after_view, "", "", 100'000).boxes;
    const Changes found = changes(before_view, after_view);
    ASSERT_FALSE(found.more);
    for (const auto* list : {&old, &fresh})
      for (const PermittedBox& box : *list) {
        if (!box.to.name.empty()) continue;
        for (const Number s : {box.from.addresses.first, box.from.addresses.second})
          for (const Number d : {box.to.addresses.first, box.to.addresses.second})
            for (const std::uint16_t p : {box.ports.first, box.ports.last}) {
              const bool before = count(old, s, d, box.protocol, p) != 0;
              const bool now = count(fresh, s, d, box.protocol, p) != 0;
              differ += before != now;
              ASSERT_EQ(count(found.allowed, s, d, box.protocol, p), !before && now) << shown(box);
              ASSERT_EQ(count(found.denied, s, d, box.protocol, p), before && !now) << shown(box);
            }
      }
  }
  EXPECT_GT(differ, 100U);
}

}  // namespace
}  // namespace sallyport::prove
