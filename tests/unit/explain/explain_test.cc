#include "policy/explain/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/policy/sample_gateway.h"

namespace sallyport::explain {
namespace {

using ::testing::HasSubstr;
using testing::ip;
using testing::mac;

class ExplainTest : public ::testing::Test {
 protected:
  static model::Gateway gateway() {
    model::Gateway out = testing::sample_gateway();
    testing::add_conduit(out, "not-yet", testing::device("meter"), testing::device("camera"),
                         testing::tcp(80))
        .review.reset();
    return out;
  }
  Question ask(const char* segment, const char* source, const char* destination, std::uint16_t port,
               std::uint8_t protocol = 6) const {
    Question q;
    q.segment = view_.segment(segment)->slot();
    q.tuple = {ip(source), ip(destination), protocol, 40000, port};
    return q;
  }
  static const Candidate* candidate(const Explanation& e, std::string_view name,
                                    std::string_view kind) {
    for (const Candidate& c : e.candidates)
      if (c.name == name && c.kind == kind) return &c;
    return nullptr;
  }

  const compile::Compiled compiled_ = testing::compiled(gateway());
  const wire::SnapshotView view_ = testing::view_of(compiled_);
};

TEST_F(ExplainTest, NamesTheLineThatAllows) {
  const Explanation e = explain(view_, ask("office", "10.30.0.5", "10.20.0.7", 80));
  EXPECT_TRUE(e.allowed);
  EXPECT_EQ(e.rule, "office-sees-camera");
  EXPECT_EQ(e.line, 103U);
  EXPECT_EQ(e.column, 3U);
  EXPECT_EQ(e.egress_segment, "field");
  EXPECT_EQ(e.steps.front().outcome, "scada");
  EXPECT_THAT(to_text(e), HasSubstr("ALLOW office-sees-camera gateway.yaml:103:3"));
}

TEST_F(ExplainTest, SaysWhatKeptEachConduitFromADeniedPacket) {
  const Explanation port = explain(view_, ask("office", "10.30.0.5", "10.20.0.7", 82));
  EXPECT_FALSE(port.allowed);
  EXPECT_EQ(port.reason, "default-deny");
  ASSERT_NE(candidate(port, "office-sees-camera", "direct"), nullptr);
  EXPECT_EQ(candidate(port, "office-sees-camera", "direct")->why, WhyNot::kPort);
  EXPECT_THAT(candidate(port, "office-sees-camera", "direct")->detail, HasSubstr("tcp 80-81"));
  EXPECT_EQ(candidate(port, "scada-pings", "direct")->why, WhyNot::kProtocol);
  EXPECT_EQ(candidate(port, "scada-inspected", "leg-a")->why, WhyNot::kDestination);
  EXPECT_EQ(candidate(port, "not-yet", "")->why, WhyNot::kUnreviewed);
  EXPECT_EQ(port.candidates.front().name, "office-sees-camera");

  const Explanation source = explain(view_, ask("field", "10.20.0.6", "10.20.0.7", 80));
  EXPECT_EQ(candidate(source, "office-sees-camera", "direct")->why, WhyNot::kSource);
}

TEST_F(ExplainTest, TellsLegsAndRewrites) {
  const Explanation a = explain(view_, ask("uplink", "192.0.2.9", "192.0.2.2", 802));
  EXPECT_EQ(a.kind, "leg-a");
  EXPECT_EQ(a.rewrite, "destination becomes 192.0.2.2:" +
                           std::to_string(compiled_.slots.listener_ports.at("scada-reads-press4")));
  EXPECT_EQ(a.egress_segment, "host stack of uplink");
  Question from_host = ask("field", "10.20.0.1", "10.20.0.5", 502);
  from_host.origin = decide::Origin::kHostStack;
  const Explanation b = explain(view_, from_host);
  EXPECT_EQ(b.kind, "leg-b");
  EXPECT_EQ(b.egress_segment, "field");
  const Explanation service = explain(view_, ask("field", "10.20.0.6", "10.20.0.1", 53, 17));
  EXPECT_EQ(service.rule, "builtin:dns:field");
  EXPECT_EQ(service.line, 0U);
}

TEST_F(ExplainTest, BindingNamesBothPortsOfAStolenIdentity) {
  Question q = ask("field", "10.20.0.5", "10.20.0.1", 53, 17);
  q.port = view_.port("lan2")->slot();
  q.mac = mac("02:00:00:00:20:05");
  const Explanation stolen = explain(view_, q);
  EXPECT_EQ(stolen.reason, "stolen-identity");
  EXPECT_THAT(stolen.steps.front().detail, HasSubstr("on lan2"));
  EXPECT_THAT(stolen.steps.front().detail, HasSubstr("press4's, enrolled on lan1"));
  q.mac = mac("02:00:00:00:99:99");
  q.tuple.source = ip("10.20.0.99");
  EXPECT_EQ(explain(view_, q).reason, "unknown-device");
  EXPECT_EQ(explain(view_, ask("field", "10.20.0.99", "10.20.0.1", 53, 17)).reason,
            "unknown-device");
  q.port = view_.port("lan3")->slot();
  EXPECT_EQ(explain(view_, q).reason, "segment-mismatch");
}

TEST_F(ExplainTest, LearnedNamesAreSteps) {
  Question q = ask("field", "10.20.0.7", "203.0.113.40", 123, 17);
  EXPECT_FALSE(explain(view_, q).allowed);
  q.names = {"time.example", "other.example"};
  const Explanation e = explain(view_, q);
  EXPECT_EQ(e.rule, "camera-time");
  EXPECT_EQ(e.steps[1].outcome, "time.example");
  EXPECT_EQ(e.steps[2].detail, "no conduit names it");
}

TEST_F(ExplainTest, JsonSaysTheSameAsTheText) {
  const Explanation e = explain(view_, ask("office", "fd00:30::5", "fd00:20::7", 81));
  const auto json = nlohmann::json::parse(to_json(e));
  EXPECT_EQ(json["decision"], "allow");
  EXPECT_EQ(json["rule"], "office-sees-camera");
  EXPECT_EQ(json["packet"], "tcp [fd00:30::5]:40000 > [fd00:20::7]:81");
  EXPECT_EQ(json["steps"].size(), e.steps.size());
  EXPECT_EQ(json["candidates"].size(), e.candidates.size());
  for (const Candidate& c : e.candidates) EXPECT_THAT(to_text(e), HasSubstr(c.name));
}

}  // namespace
}  // namespace sallyport::explain
