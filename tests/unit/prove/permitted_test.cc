#include "policy/prove/permitted.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <random>

#include "policy/decide/classifier.h"
#include "policy/decide/names.h"
#include "tests/support/policy/comparison.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::prove {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

class PermittedTest : public ::testing::Test {
 protected:
  static std::string shown(const PermittedBox& b) {
    return text_of(b.from.addresses) + " " +
           (b.to.name.empty() ? text_of(b.to.addresses) : b.to.name) + " " +
           std::to_string(b.protocol) + " " + std::to_string(b.ports.first) + "-" +
           std::to_string(b.ports.last) + " " + b.rule;
  }
  std::vector<std::string> between(std::string_view from, std::string_view to) const {
    std::vector<std::string> out;
    for (const PermittedBox& b : permitted(view_, from, to, 1000).boxes) out.push_back(shown(b));
    return out;
  }
  const compile::Compiled compiled_ = testing::compiled(testing::sample_gateway());
  const wire::SnapshotView view_ = testing::view_of(compiled_);
};

TEST_F(PermittedTest, MatrixNamesEveryRuleBetweenTwoEnds) {
  const std::vector<Cell> cells = matrix(view_);
  const auto rules = [&](const char* from, const char* to) {
    for (const Cell& c : cells)
      if (c.from == from && c.to == to) return c.rules;
    return std::vector<std::string>();
  };
  EXPECT_THAT(rules("office", "field"),
              ElementsAre("office-sees-camera", "scada-inspected", "scada-pings"));
  EXPECT_THAT(rules("uplink", "gateway:uplink"), ElementsAre("scada-reads-press4"));
  EXPECT_THAT(rules("gateway:uplink", "name:broker.example"),
              ElementsAre("meter-to-cloud"));  // meter-to-fixed repeats it
  EXPECT_THAT(rules("gateway:field", "field"),
              ElementsAre("scada-reads-press4"));  // scada-inspected repeats it
  EXPECT_THAT(rules("field", "virtual"), ElementsAre("meter-to-cloud"));
  EXPECT_THAT(rules("field", "office"), ElementsAre());
}

TEST_F(PermittedTest, BoxesBetweenTwoDevices) {
  EXPECT_THAT(between("scada", "camera"),
              ElementsAre("10.30.0.5 10.20.0.7 1 8-8 scada-pings",
                          "10.30.0.5 10.20.0.7 6 80-81 office-sees-camera",
                          "fd00:30::5 fd00:20::7 6 80-81 office-sees-camera",
                          "fd00:30::5 fd00:20::7 58 128-128 scada-pings"));
  EXPECT_TRUE(permitted(view_, "scada", "camera", 3).more);
  EXPECT_FALSE(permitted(view_, "scada", "camera", 4).more);
  EXPECT_TRUE(between("camera", "scada").empty());
}

TEST_F(PermittedTest, BoxesBetweenOtherEnds) {
  EXPECT_THAT(between("camera", "name:time.example"),
              ElementsAre("10.20.0.7 time.example 17 123-123 camera-time",
                          "fd00:20::7 time.example 17 123-123 camera-time"));
  EXPECT_THAT(between("gateway:uplink", "uplink"),
              ElementsAre("192.0.2.2 203.0.113.53 17 53-53 gateway-dns"));
  EXPECT_EQ(between("gateway", "field"), between("gateway:field", "field"));
  EXPECT_THAT(between("gateway", "press4"),
              Contains("10.20.0.1 10.20.0.5 6 502-502 scada-reads-press4"));
  // Only who is enrolled speaks in a segment of devices.
  for (const PermittedBox& b : permitted(view_, "field", "", 1000).boxes)
    EXPECT_FALSE(b.from.device.empty()) << shown(b);
  EXPECT_TRUE(permitted(view_, "nobody", "", 1000).boxes.empty());
}

TEST_F(PermittedTest, EndsAreKnownByName) {
  for (const char* end :
       {"field", "gateway", "gateway:field", "virtual", "meter", "name:time.example", "uplink"})
    EXPECT_TRUE(is_end(view_, end)) << end;
  for (const char* end :
       {"", "feild", "gateway:", "gateway:x", "name:", "name:x.example", "time.example"})
    EXPECT_FALSE(is_end(view_, end)) << end;
}

TEST_F(PermittedTest, JsonSaysTheSame) {
  const auto boxes = permitted(view_, "scada", "camera", 100);
  const auto json = nlohmann::json::parse(to_json(boxes));
  ASSERT_EQ(json["boxes"].size(), 4U);
  EXPECT_EQ(json["more"], false);
  EXPECT_EQ(json["boxes"][1]["from"]["device"], "scada");
  EXPECT_EQ(json["boxes"][1]["to"]["addresses"], "10.20.0.7");
  EXPECT_EQ(json["boxes"][1]["protocol"], "tcp");
  EXPECT_EQ(json["boxes"][1]["last_port"], 81);
  const auto cells = matrix(view_);
  EXPECT_EQ(nlohmann::json::parse(to_json(cells)).size(), cells.size());
}

// The boxes are what the classifier does, no more and no less: a packet from somebody whom binding
// lets speak is allowed if and only if exactly one box holds it.
class Exactness {
 public:
  Exactness(const testing::Agreed& agreed, testing::Choices& choices)
      : view_(testing::view_of(agreed.compiled)),
        classifier_(view_),
        names_(view_),
        boxes_(permitted(view_, "", "", 1'000'000)),
        choices_(choices) {
    std::vector<IpAddress> also;
    for (const PermittedBox& b : boxes_.boxes)
      for (const Number n : {b.from.addresses.first, b.from.addresses.second, b.to.addresses.first,
                             b.to.addresses.second})
        also.push_back(address_of(n));
    addresses_ = testing::interesting_addresses(agreed.gateway, also);
    for (const wire::Name* n : *view_.root().names())
      all_names_.emplace_back(wire::text(n->name()));
  }

  void run(std::size_t packets) {
    EXPECT_FALSE(boxes_.more);
    for (std::size_t i = 0; i < packets; ++i) one();
  }
  std::size_t allowed() const { return allowed_; }

 private:
  static bool holds(const PermittedBox& b, const decide::Tuple& t) {
    const Range from = b.from.addresses;
    const Number source = number_of(t.source);
    return from.first <= source && source <= from.second && b.protocol == t.protocol &&
           b.ports.contains(t.destination_port);
  }

  void one() {
    decide::Tuple t;
    if (!boxes_.boxes.empty() && !choices_.one_in(3)) {
      // At the edges of a box.
      const PermittedBox& b = choices_.pick(boxes_.boxes);
      t.source = address_of(choices_.one_in(2) ? b.from.addresses.first : b.from.addresses.second);
      t.destination =
          b.to.name.empty() ? address_of(b.to.addresses.second) : choices_.pick(addresses_);
      t.protocol = b.protocol;
      t.destination_port = choices_.one_in(2) ? b.ports.first : b.ports.last;
      if (choices_.one_in(4))
        t.destination_port =
            static_cast<std::uint16_t>(t.destination_port + (choices_.one_in(2) ? 1 : -1));
      if (choices_.one_in(6)) t.destination = choices_.pick(addresses_);
    } else {
      t.source = choices_.pick(addresses_);
      t.destination = choices_.pick(addresses_);
      t.protocol = choices_.one_in(2) ? 6 : 17;
      t.destination_port = static_cast<std::uint16_t>(choices_.below(2000));
    }
    const decide::Location from = classifier_.locate(t.source);
    decide::Ingress ingress{from.segment, decide::Origin::kWire,
                            from.is_device() ? from.device : wire::kNoDevice};
    if (from.is_gateway()) ingress.origin = decide::Origin::kHostStack;
    std::optional<std::string> name;
    std::vector<std::uint32_t> classes;
    if (!all_names_.empty() && choices_.one_in(3)) {
      name = choices_.pick(all_names_);
      classes.push_back(*names_.destination_class(std::string_view(*name)));
    }
    const bool speaks = classifier_.may_speak(from);
    const decide::Verdict verdict = classifier_.classify(ingress, t, classes);
    std::size_t by_address = 0;
    std::size_t by_name = 0;
    const Number destination = number_of(t.destination);
    const bool nameable = classifier_.may_be_named(classifier_.locate(t.destination)) &&
                          t.source.is_v4() == t.destination.is_v4();
    for (const PermittedBox& b : boxes_.boxes) {
      if (!holds(b, t)) continue;
      if (b.to.name.empty())
        by_address += b.to.addresses.first <= destination && destination <= b.to.addresses.second;
      else
        by_name += nameable && name == b.to.name;
    }
    EXPECT_LE(by_address, 1U) << "boxes are not disjoint";
    EXPECT_LE(by_name, 1U) << "boxes of a name are not disjoint";
    EXPECT_EQ(speaks && verdict.decision.allowed(), by_address + by_name > 0)
        << t.source.to_string() << " > " << t.destination.to_string() << " " << int{t.protocol}
        << " " << t.destination_port << (name ? *name : "");
    allowed_ += verdict.decision.allowed();
  }

  const wire::SnapshotView view_;
  const decide::Classifier classifier_;
  const decide::Names names_;
  const PermittedBoxes boxes_;
  testing::Choices& choices_;
  std::vector<IpAddress> addresses_;
  std::vector<std::string> all_names_;
  std::size_t allowed_ = 0;
};

TEST(PermittedBoxesOfRandomPlants, AreExactlyWhatTheClassifierAllows) {
  const std::uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::size_t allowed = 0;
  for (std::uint64_t round = 0; round < 40; ++round) {
    SCOPED_TRACE(seed + round);
    std::mt19937 random(static_cast<std::uint32_t>(seed + round));
    testing::Choices choices([&] { return static_cast<std::uint32_t>(random()); });
    const auto agreed = testing::agree(testing::random_gateway(choices), {});
    if (!agreed) continue;
    Exactness exactness(*agreed, choices);
    exactness.run(2000);
    allowed += exactness.allowed();
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(allowed, 10'000U);
}

}  // namespace
}  // namespace sallyport::prove
