#include "control/exporter/figures.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <fmt/format.h>

#include "control/exporter/metrics.h"

namespace sallyport::exporter {
namespace {

using nlohmann::json;

std::string page(const Answers& answers) {
  return prometheus::TextSerializer().Serialize(families(answers));
}

// As control, dataplane and terminator answer.
Answers whole() {
  return {.status = json::parse(R"({"state":"in-force","revision":7,"version":"0.1.0","events":3,
        "processes":[{"name":"dataplane","connected":true},{"name":"terminator","connected":false}],
        "chain":{"problems":[]},"database":{"connected":true}})"),
          .dataplane = json::parse(R"({"configured":true,"flows":12,"flow_capacity":65536})"),
          .counters = json::parse(R"({"forwarded":100,"to_host":20,"consumed":5,"flows_made":9,
        "flows_ended":4,"flows_cut":1,"flows_displaced":2,"drops":{"default-deny":30,"spoofed-source":2},
        "ports":[{"port":"lan1","rx_packets":60,"rx_bytes":6000,"tx_packets":40,"tx_bytes":4000,
                  "tx_full":1,"rx_missed":4,"rx_errors":0,"rx_no_buffer":0,"tx_errors":0,
                  "link_up":true}]})"),
          .terminator = json::parse(R"({"sessions":2,"max-sessions":4096,"conduits":[
        {"name":"a","credentials":[{"name":"gw","expires-s":2000000000}],
         "handshakes":{"established":8,"failed":1,"timed-out":0,"in-flight":1}},
        {"name":"b","credentials":[{"name":"gw","expires-s":2000000000}]}]})")};
}

TEST(Figures, AreThoseOfTheAnswers) {
  const std::string text = page(whole());
  for (const char* line :
       {"sallyport_up{process=\"control\"} 1\n",
        "sallyport_up{process=\"terminator\"} 0\n",
        "sallyport_build_info{version=\"0.1.0\"} 1\n",
        "sallyport_config_revision_info{revision=\"7\"} 1\n",
        "sallyport_config_in_force 1\n",
        "sallyport_config_unconfirmed 0\n",
        "sallyport_config_history_problems 0\n",
        "sallyport_database_connected 1\n",
        "# TYPE sallyport_events_total counter\n",
        "sallyport_events_total 3\n",
        "sallyport_packets_total{verdict=\"forwarded\"} 100\n",
        "sallyport_packets_total{verdict=\"dropped\"} 32\n",
        "sallyport_drops_total{reason=\"default-deny\"} 30\n",
        "sallyport_port_packets_total{port=\"lan1\",direction=\"in\"} 60\n",
        "sallyport_port_bytes_total{port=\"lan1\",direction=\"out\"} 4000\n",
        "sallyport_port_full_total{port=\"lan1\"} 1\n",
        "sallyport_port_errors_total{port=\"lan1\",what=\"missed\"} 4\n",
        "sallyport_port_link_up{port=\"lan1\"} 1\n",
        "# TYPE sallyport_flows gauge\n",
        "sallyport_flows 12\n",
        "sallyport_flow_table_capacity 65536\n",
        "sallyport_flows_made_total 9\n",
        "sallyport_flows_ended_total{how=\"cut\"} 1\n",
        "sallyport_flows_ended_total{how=\"displaced\"} 2\n",
        "sallyport_sessions 2\n",
        "sallyport_sessions_limit 4096\n",
        "sallyport_handshakes_total{conduit=\"a\",result=\"established\"} 8\n",
        "sallyport_handshakes_in_flight{conduit=\"a\"} 1\n",
        "sallyport_certificate_not_after_timestamp_seconds{name=\"gw\"} 2000000000\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  EXPECT_EQ(text.find("conduit=\"b\""), std::string::npos) << "it has made no handshake";
}

// What the table documents is what is told when everybody answers: no more, no less.
TEST(Figures, CoverTheTable) {
  const auto told = families(whole());
  ASSERT_EQ(told.size(), kMetricInfo.size());
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_EQ(told[i].name, kMetricInfo[i].name);
    EXPECT_EQ(told[i].help, kMetricInfo[i].help);
    for (const prometheus::ClientMetric& one : told[i].metric) {
      std::string labels;
      for (const auto& label : one.label) labels += (labels.empty() ? "" : ",") + label.name;
      EXPECT_EQ(labels, kMetricInfo[i].labels) << told[i].name;
    }
  }
}

TEST(Figures, WithoutControlOnlyThatIsSaid) {
  const std::string text = page({});
  EXPECT_NE(text.find("sallyport_up{process=\"control\"} 0\n"), std::string::npos);
  EXPECT_EQ(families({}).size(), 1U);
}

TEST(Figures, WithoutARevisionThereIsNoneToName) {
  Answers answers = whole();
  (*answers.status)["revision"] = 0;
  (*answers.status)["state"] = "nothing-in-force";
  const std::string text = page(answers);
  EXPECT_EQ(text.find("revision_info"), std::string::npos);
  EXPECT_NE(text.find("sallyport_config_in_force 0\n"), std::string::npos);
}

// Whatever somebody answers in control's place, there is no crash and no foreign text.
TEST(Figures, AnswersOfAnotherShapeMakeNoSeries) {
  for (const char* text : {"null", "7", "[]", "\"x\"", "{}", R"({"processes":7,"ports":"x"})",
                           R"({"drops":[1,2],"ports":[7,{"port":7},{"port":"p","rx_packets":"x"}],
                               "conduits":[7,{"name":1},{"name":"c","handshakes":7,
                               "credentials":[1,{"name":"k","expires-s":"soon"}]}],
                               "processes":[{"name":1}],"flows":{},"chain":7,"database":[]})"}) {
    const json value = json::parse(text);
    for (const auto& family : families({value, value, value, value}))
      EXPECT_TRUE(family.name == "sallyport_up" || family.name == "sallyport_config_unconfirmed" ||
                  family.name == "sallyport_packets_total")
          << text << ": " << family.name;
  }
}

TEST(Figures, LabelsAreEscaped) {
  Answers answers;
  answers.status = json{{"version", "a\"} 1\nsallyport_up 9\\"}};
  const std::string text = page(answers);
  EXPECT_NE(text.find(R"(version="a\"} 1\nsallyport_up 9\\"})"), std::string::npos) << text;
}

TEST(Figures, HaveABoundedNumberOfSeries) {
  Answers answers = whole();
  json& conduits = (*answers.terminator)["conduits"];
  conduits = json::array();
  constexpr int kMany = 3000;
  for (int i = 0; i < kMany; ++i)
    conduits.push_back(
        {{"name", fmt::format("c{}", i)},
         {"credentials", {{{"name", fmt::format("k{}", i)}, {"expires-s", 1}}}},
         {"handshakes", {{"established", 1}, {"failed", 0}, {"timed-out", 0}, {"in-flight", 0}}}});
  json& drops = (*answers.counters)["drops"];
  for (int i = 0; i < kMany; ++i) drops[fmt::format("r{}", i)] = 1;
  double established = 0;
  for (const auto& family : families(answers)) {
    EXPECT_LE(family.metric.size(), kMostSeries) << family.name;
    if (family.name != info(Metric::kHandshakes).name) continue;
    for (const auto& one : family.metric)
      if (one.label[1].value == "established") established += one.counter.value;
  }
  EXPECT_EQ(established, kMany) << "what has no series of its own is in the sum of the others";
}

}  // namespace
}  // namespace sallyport::exporter
