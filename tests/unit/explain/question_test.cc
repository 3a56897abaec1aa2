#include "policy/explain/question.h"

#include <gtest/gtest.h>

#include "policy/compile/compile.h"

namespace sallyport::explain {
namespace {

// One segment "field" on lan1, one device.
class QuestionTest : public testing::Test {
 protected:
  void SetUp() override {
    model::Gateway gateway;
    gateway.ports.push_back({"lan1", "net_null0", {1, 1}});
    model::Segment field;
    field.name = "field";
    field.members = {{"lan1", 0}};
    field.addresses = {{*IpAddress::parse("10.20.0.1"), *IpPrefix::parse("10.20.0.0/24")}};
    gateway.segments.push_back(field);
    auto compiled = compile::compile(gateway, {});
    ASSERT_TRUE(compiled);
    bytes_ = std::move(compiled->snapshot);
    view_.emplace(*wire::SnapshotView::verify(bytes_));
  }
  Result<Question> ask(std::vector<std::string> words) { return parse_question(*view_, words); }
  std::vector<std::uint8_t> bytes_;
  std::optional<wire::SnapshotView> view_;
};

TEST_F(QuestionTest, ReadsEveryWord) {
  const auto question =
      ask({"in=field", "port=lan1", "vlan=7", "mac=02:00:00:00:20:05", "source=10.20.0.5",
           "destination=192.0.2.7", "protocol=tcp", "source_port=1234", "destination_port=502",
           "name=plc.example", "flags=A", "sequence=4294967295", "acknowledgement=7", "size=1460"});
  ASSERT_TRUE(question) << question.error().context;
  EXPECT_EQ(question->vlan, 7);
  EXPECT_TRUE(question->port && question->mac);
  EXPECT_EQ(question->tuple.protocol, 6);
  EXPECT_EQ(question->tuple.source_port, 1234);
  EXPECT_EQ(question->tuple.destination_port, 502);
  EXPECT_EQ(question->names, std::vector<std::string>{"plc.example"});
  EXPECT_EQ(question->sequence, 4294967295U);
  EXPECT_EQ(question->acknowledgement, 7U);
  EXPECT_EQ(question->size, 1460);
  EXPECT_EQ(
      command_line_of(*view_, *question),
      "--in field --port lan1 --vlan 7 --mac 02:00:00:00:20:05 --sequence 4294967295 "
      "--acknowledgement 7 --size 1460 --name plc.example 10.20.0.5:1234 192.0.2.7:502 tcp A");
}

TEST_F(QuestionTest, EchoIsTheVersionsOwnProtocolAndType) {
  const auto question = ask({"in=field", "source=fd00::5", "destination=fd00::6", "protocol=icmp"});
  ASSERT_TRUE(question);
  EXPECT_EQ(question->tuple.protocol, 58);
  EXPECT_EQ(question->tuple.destination_port, 128);
}

TEST_F(QuestionTest, WhatIsMissingOrWrongIsNamed) {
  struct Case {
    std::vector<std::string> words;
    const char* says;
  };
  for (const Case& c : {
           Case{{"source=10.0.0.1"}, "'in=' is missing"},
           Case{{"sequence=4294967296"}, "sequence cannot be '4294967296'"},
           Case{{"size=65536"}, "size cannot be '65536'"},
           Case{{"in=nowhere"}, "in cannot be 'nowhere'"},
           Case{{"in=field", "source=10.0.0.1", "destination=fd00::1", "protocol=tcp"},
                "IP version"},
           Case{{"in=field", "source=10.0.0.1", "destination=10.0.0.2", "protocol=tcp"},
                "'destination_port=' is missing"},
           Case{{"in=field", "source=10.0.0.1", "destination=10.0.0.2", "protocol=256"},
                "protocol cannot be '256'"},
           Case{{"in=field", "colour=red"}, "cannot be 'colour'"},
           Case{{"in=field", "vlan=4095"}, "a VLAN"},
       }) {
    const auto question = ask(c.words);
    ASSERT_FALSE(question) << c.says;
    EXPECT_NE(question.error().context.find(c.says), std::string::npos) << question.error().context;
  }
}

}  // namespace
}  // namespace sallyport::explain
