// The flow log: many flows as one line, within its bounds, and only what it wrote itself is read.
#include "control/app/flow_log.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace sallyport::control {
namespace {

using nlohmann::json;

constexpr std::int64_t kNow = 1'793'491'200;

json flow(const std::string& client, int client_port, const std::string& server, int port) {
  return {{"protocol", "tcp"},         {"client", client},          {"client_port", client_port},
          {"server", server},          {"server_port", port},       {"rule", "meter-reads-plc"},
          {"client_segment", "field"}, {"server_segment", "field"}, {"client_device", "meter"}};
}
FlowLog::Rows rows(std::initializer_list<json> flows) {
  return flows_of(json{{"flows", flows}}.dump());
}

TEST(FlowLog, ManyFlowsOfTheSameAreOneLine) {
  FlowLog log;
  log.see(
      rows({flow("10.20.0.6", 40000, "10.20.0.5", 502), flow("10.20.0.6", 40001, "10.20.0.5", 502),
            flow("10.20.0.6", 40002, "10.20.0.5", 503)}),
      kNow);
  ASSERT_EQ(log.rows().size(), 2U);
  log.see(rows({flow("10.20.0.6", 50000, "10.20.0.5", 502)}), kNow + 60);
  ASSERT_EQ(log.rows().size(), 2U);
  const auto& [key, seen] = *log.rows().begin();
  EXPECT_EQ(key.device, "meter");
  EXPECT_EQ(key.port, 502);
  EXPECT_EQ(seen.first_s, kNow);
  EXPECT_EQ(seen.last_s, kNow + 60);
}

TEST(FlowLog, SevenDaysAreKept) {
  FlowLog log;
  log.see(rows({flow("10.20.0.6", 1, "10.20.0.5", 502)}), kNow);
  log.see({}, kNow + FlowLog::kMaxAge);
  EXPECT_EQ(log.rows().size(), 1U);
  log.see({}, kNow + FlowLog::kMaxAge + 1);
  EXPECT_TRUE(log.rows().empty());
}

TEST(FlowLog, TheLongestUnseenGiveWayToNewOnes) {
  FlowLog log;
  const auto many = [](int network) {
    FlowLog::Rows out;
    for (std::size_t i = 0; i < FlowLog::kMaxRows; ++i)
      out[{"field", "", "uplink",
           "10." + std::to_string(network) + "." + std::to_string(i / 250) + "." +
               std::to_string(i % 250),
           6, 80}] = {"10.20.0.6", "rule", 0, 0};
    return out;
  };
  log.see(many(1), kNow);
  ASSERT_EQ(log.rows().size(), FlowLog::kMaxRows);
  log.see(rows({flow("10.20.0.6", 1, "10.20.0.5", 502)}), kNow + 1);
  ASSERT_EQ(log.rows().size(), FlowLog::kMaxRows);
  log.see(many(2), kNow + 2);
  ASSERT_EQ(log.rows().size(), FlowLog::kMaxRows);
  for (const auto& [key, seen] : log.rows()) EXPECT_EQ(seen.last_s, kNow + 2);
  EXPECT_LT(log.to_text().size(), FlowLog::kMaxText);
}

TEST(FlowLog, IsReadAsItWasWritten) {
  FlowLog log;
  log.see(rows({flow("10.20.0.6", 1, "10.20.0.5", 502), flow("fd00:20::6", 1, "fd00:20::5", 502)}),
          kNow);
  const auto read = FlowLog::parse(log.to_text());
  ASSERT_TRUE(read) << read.error().context;
  EXPECT_EQ(*read, log);
}

TEST(FlowLog, NothingElseIsRead) {
  FlowLog log;
  log.see(rows({flow("10.20.0.6", 1, "10.20.0.5", 502)}), kNow);
  const std::string text = log.to_text();
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    std::string wrong = text;
    wrong[i] ^= 1;
    EXPECT_FALSE(FlowLog::parse(wrong)) << wrong;
    EXPECT_FALSE(FlowLog::parse(text.substr(0, i)));
  }
  EXPECT_FALSE(FlowLog::parse(std::string(FlowLog::kMaxText + 1, ' ')));
}

TEST(FlowLog, AnswersThatAreNoneAreNoFlows) {
  for (const char* text :
       {"", "[]", "{}", R"({"flows": 1})", R"({"flows": [1, {}, {"protocol": "tcp"}]})"})
    EXPECT_TRUE(flows_of(text).empty()) << text;
  json odd = flow("10.20.0.6", 1, "not an address", 502);
  EXPECT_TRUE(rows({odd}).empty());
  odd = flow("10.20.0.6", 1, "10.20.0.5", 502);
  odd["client_device"] = std::string(500, 'x');
  EXPECT_TRUE(rows({odd}).empty());
}

TEST(FlowLog, EchoRequestsAreKnownByTheirType) {
  json echo = flow("10.20.0.6", 77, "10.20.0.5", 77);
  echo["protocol"] = "icmp";
  EXPECT_EQ(rows({echo}).begin()->first.port, 8);
  echo["protocol"] = "icmpv6";
  EXPECT_EQ(rows({echo}).begin()->first.port, 128);
}

}  // namespace
}  // namespace sallyport::control
