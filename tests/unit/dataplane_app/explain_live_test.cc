// explain = enforce: what is told of a packet is what the pipeline then does with that very packet.
#include "dataplane/app/explain_live.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "tests/support/pipeline_world.h"

namespace sallyport::testing {
namespace {

using dataplane::kTcpAck;
using dataplane::kTcpFin;
using dataplane::kTcpPsh;
using dataplane::kTcpRst;
using dataplane::kTcpSyn;
using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::seconds;

struct Asked {
  std::string sender;     // who really sends
  std::string pretended;  // whose address it shows
  IpAddress to;
  std::string protocol;
  std::uint16_t from_port = 40000;
  std::uint16_t to_port = 502;
  std::uint8_t flags = kTcpSyn;
  // As if both sides had sent their SYNs and nothing else (PacketBuilder).
  std::uint32_t sequence = PacketBuilder::kFirstSequence + 1;
  std::uint32_t acknowledgement = PacketBuilder::kFirstSequence + 1;
  std::uint32_t first_sequence() const { return sequence - ((flags & kTcpSyn) != 0 ? 1 : 0); }
};

class ExplainLive : public ::testing::Test {
 protected:
  explicit ExplainLive(std::uint32_t flows = 1024, const model::Gateway& gateway = plant())
      : world_(gateway, flows) {
    for (const char* port : {"lan1", "lan2", "lan3", "wan"}) names_[world_.port_slot(port)] = port;
  }
  dataplane::QueryContext context() {
    return {world_.pipeline().tables(), names_, world_.now(), 0};
  }
  json explain(const std::vector<std::string>& words) {
    const auto told = dataplane::explain_json(
        words, context(), [&](const auto&, const auto& work) { work(world_.pipeline()); });
    EXPECT_TRUE(told) << told.error().context;
    return told ? json::parse(*told) : json();
  }
  Result<std::string> last(const std::vector<std::string>& words) {
    return dataplane::explain_last_json(
        words, context(), world_.pipeline().exits().drop_records().snapshot(),
        [&](const auto&, const auto& work) { work(world_.pipeline()); });
  }
  json explain(const Asked& a) {
    const Host& sender = plant_hosts().at(a.sender);
    return explain(
        {"in=" + sender.segment, "port=" + sender.port, fmt::format("vlan={}", sender.vlan),
         "mac=" + sender.mac.to_string(), "source=" + address_of(a).to_string(),
         "destination=" + a.to.to_string(), "protocol=" + a.protocol,
         fmt::format("source_port={}", a.from_port), fmt::format("destination_port={}", a.to_port),
         "flags=" + tcp_flags_text(a.flags), fmt::format("sequence={}", a.first_sequence()),
         fmt::format("acknowledgement={}", a.acknowledgement)});
  }
  std::vector<Frame> send(const Asked& a) {
    const Host& sender = plant_hosts().at(a.sender);
    const PacketBuilder builder =
        PacketBuilder({sender.mac, address_of(a), a.from_port},
                      {world_.segment_mac(sender.segment), a.to, a.to_port})
            .vlan(sender.vlan)
            .sequence(a.first_sequence(), a.acknowledgement);
    return world_.receive(sender.port, a.protocol == "tcp"   ? builder.tcp(a.flags)
                                       : a.protocol == "udp" ? builder.udp()
                                                             : builder.echo(true));
  }
  static IpAddress address_of(const Asked& a) {
    return plant_hosts().at(a.pretended.empty() ? a.sender : a.pretended).address(a.to.version());
  }
  // `like`, between the ends of `sent`; and from its receiver, if the plant has it.
  static Asked after(const Asked& sent, const Asked& like) {
    Asked out = sent;
    out.flags = like.flags;
    out.sequence = like.sequence;
    out.acknowledgement = like.acknowledgement;
    return out;
  }
  static Asked answer_to(const Asked& sent, const Asked& like) {
    Asked out = after(sent, like);
    for (const auto& [name, host] : plant_hosts())
      if (host.v4 == sent.to || host.v6 == sent.to) out.sender = name;
    out.pretended.clear();
    out.to = address_of(sent);
    std::swap(out.from_port, out.to_port);
    return out;
  }
  std::string met() {
    const Verdict& verdict = world_.verdict();
    if (verdict.drop) return std::string(to_string(*verdict.drop));
    return verdict.rule ? "by " + dataplane::rule_name(*verdict.rule, context()) : "waits";
  }
  static std::string told(const json& explanation) {
    return explanation["decision"] == "allow" ? "by " + explanation["rule"].get<std::string>()
                                              : explanation["reason"].get<std::string>();
  }
  static std::string step(const json& explanation, std::string_view stage) {
    for (const json& one : explanation["steps"])
      if (one["stage"] == stage) return one["outcome"];
    return {};
  }
  static IpAddress plc() { return plant_hosts().at("plc").v4; }
  // The cloud dials the gateway's port 802, which is terminated.
  static Asked handshake(std::uint16_t from_port) {
    return {"cloud", "", *IpAddress::parse("192.0.2.2"), "tcp", from_port, 802, kTcpSyn};
  }

  PipelineWorld world_;
  std::map<dataplane::PortSlot, std::string> names_;
};

TEST_F(ExplainLive, IsWhatThePipelineDoesWithThePacket) {
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);
  const auto one_of = [&](const auto& list) { return list[random() % std::size(list)]; };
  constexpr std::array kSenders{"plc", "meter", "camera", "scada", "cloud", "far", "rogue"};
  constexpr std::array<std::uint16_t, 11> kPorts{502, 503, 802, 5683,  8883, 80,
                                                 53,  67,  68,  40000, 0};
  constexpr std::array<std::uint8_t, 9> kFlags{kTcpSyn, kTcpSyn,           kTcpSyn,
                                               kTcpAck, kTcpSyn | kTcpAck, kTcpFin | kTcpAck,
                                               kTcpRst, kTcpPsh | kTcpAck, kTcpSyn | kTcpFin};
  const IpAddress plc6 = plant_hosts().at("plc").v6;
  const std::array<Asked, 7> kConducted{
      {{"scada", "", plc(), "tcp", 0, 502},
       {"scada", "", plc6, "tcp", 0, 502},
       {"scada", "", plc(), "icmp", 0, 0},
       {"meter", "", plc6, "udp", 0, 5683},
       {"meter", "", plant_hosts().at("cloud").v4, "tcp", 0, 8883},
       {"scada", "", plant_hosts().at("camera").v4, "tcp", 0, 80},
       {"cloud", "", *IpAddress::parse("192.0.2.2"), "tcp", 0, 802}}};
  std::vector<IpAddress> targets;
  for (const char* gateway : {"10.20.0.1", "fd00:20::1", "10.30.0.1", "192.0.2.2", "2001:db8::2"})
    targets.push_back(*IpAddress::parse(gateway));
  for (const auto& [name, host] : plant_hosts()) targets.insert(targets.end(), {host.v4, host.v6});
  std::map<std::string, int> outcomes;
  std::optional<Asked> passed;
  for (int i = 0; i < 6000; ++i) {
    Asked a = one_of(kConducted);
    if (random() % 2 == 0) a.sender = one_of(kSenders);
    if (random() % 8 == 0) a.pretended = one_of(kSenders);
    if (random() % 3 == 0) a.to = one_of(targets);
    if (random() % 4 == 0) a.protocol = one_of(std::array{"tcp", "udp", "icmp"});
    if (random() % 4 == 0) a.to_port = one_of(kPorts);
    a.from_port = static_cast<std::uint16_t>(40000 + random() % 2);
    a.flags = one_of(kFlags);
    if (random() % 3 == 0) a.sequence = static_cast<std::uint32_t>(random());
    if (random() % 3 == 0) a.acknowledgement = static_cast<std::uint32_t>(random());
    if (random() % 4 == 0) std::swap(a.from_port, a.to_port);
    if (passed && random() % 3 == 0)
      a = random() % 2 == 0 ? answer_to(*passed, a) : after(*passed, a);
    const json explanation = explain(a);
    send(a);
    const std::string what = met();
    ++outcomes[what];
    if (what.starts_with("by ") && a.protocol == "tcp") passed = a;
    // What lies behind the decision: a next hop that is asked for, a sender that is too busy.
    if (what == "waits" || what == "by builtin:neighbour-question" || what == "neighbour-pending" ||
        what == "host-stack-policed") {
      ASSERT_EQ(explanation["decision"], "allow") << what << ": " << explanation.dump(1);
    } else {
      ASSERT_EQ(told(explanation), what) << explanation.dump(1);
    }
    world_.wait(milliseconds(50));
  }
  for (const char* seen :
       {"by scada-plc", "by meter-plc", "default-deny", "mid-stream", "bad-tcp-state",
        "bad-tcp-window", "tcp-flags", "unknown-device", "spoofed-source"})
    EXPECT_GT(outcomes[seen], 0) << seen << " never happened";
}

class MappedExplainLive : public ExplainLive {
 protected:
  static model::Gateway gateway() {
    model::Gateway g = plant();
    for (model::Segment& s : g.segments) s.napt44 = s.name == "uplink";
    return g;
  }
  MappedExplainLive() : ExplainLive(1024, gateway()) {}
};

TEST_F(MappedExplainLive, TheOutsideAddressIsTold) {
  const Asked syn{"meter", "", plant_hosts().at("cloud").v4, "tcp", 40000, 8883, kTcpSyn};
  const json before = explain(syn);
  EXPECT_EQ(told(before), "by meter-cloud");
  EXPECT_EQ(step(before, "mapping"), "free");
  EXPECT_EQ(before["rewrite"],
            "source becomes 192.0.2.2, by a port that is given when the flow opens");
  send(syn);
  const json open = explain(syn);
  ASSERT_EQ(open["flow"]["leaves_as"], "192.0.2.2");
  const std::uint16_t port = open["flow"]["leaves_as_port"];
  EXPECT_EQ(open["rewrite"], fmt::format("source becomes 192.0.2.2:{}", port));
  const Asked answer{"cloud",          "", *IpAddress::parse("192.0.2.2"), "tcp", 8883, port,
                     kTcpSyn | kTcpAck};
  const json back = explain(answer);
  EXPECT_EQ(told(back), "by meter-cloud");
  EXPECT_EQ(back["rewrite"], "destination becomes 10.20.0.6:40000");
  EXPECT_EQ(back["egress"], "field");
}

TEST_F(ExplainLive, TheOpenFlowDecides) {
  const Asked syn{"scada", "", plc(), "tcp", 40000, 502, kTcpSyn};
  EXPECT_EQ(step(explain(syn), "flow"), "none");
  send(syn);
  const json again = explain(syn);
  EXPECT_EQ(step(again, "flow"), "syn-sent");
  EXPECT_EQ(again["flow"]["rule"], "scada-plc");
  Asked ack = syn;
  ack.flags = kTcpAck;
  EXPECT_EQ(told(explain(ack)), "bad-tcp-state");
  const Asked answer{"plc", "", plant_hosts().at("scada").v4, "tcp", 502, 40000, kTcpSyn | kTcpAck};
  const json back = explain(answer);
  EXPECT_EQ(told(back), "by scada-plc");
  EXPECT_EQ(back["egress"], "office");
  // Asking changed nothing: the state machine still waits for the answer.
  send(answer);
  EXPECT_EQ(met(), "by scada-plc");
}

TEST_F(ExplainLive, ATerminatedFlowIsToldWithBothItsEnds) {
  send(handshake(40000));
  const json forth = explain(handshake(40000));
  EXPECT_EQ(forth["rewrite"].get<std::string>().rfind("destination becomes 192.0.2.2:", 0), 0U);
  EXPECT_EQ(forth["egress"], "host stack of uplink");
  const std::uint16_t listener = forth["flow"]["target_port"];
  const json back = explain({"in=uplink", "host=yes", "source=192.0.2.2", "destination=192.0.2.10",
                             "protocol=tcp", fmt::format("source_port={}", listener),
                             "destination_port=40000", "flags=SA"});
  EXPECT_EQ(back["rewrite"], "source becomes 192.0.2.2:802");
  EXPECT_EQ(back["egress"], "uplink");
}

TEST_F(ExplainLive, AFullConduitIsSaidAndIsFull) {
  const std::uint32_t bound = plant().conduits.back().admission.inflight;
  ASSERT_GT(bound, 0U);
  std::uint16_t port = 41000;
  for (std::uint32_t i = 0; i < bound; ++i, ++port) {
    ASSERT_EQ(step(explain(handshake(port)), "admission"), "admitted") << i;
    send(handshake(port));
    world_.wait(milliseconds(10));
  }
  const json full = explain(handshake(port));
  EXPECT_EQ(step(full, "admission"), "admission-full");
  EXPECT_EQ(told(full), "admission-full");
  send(handshake(port));
  EXPECT_EQ(met(), "admission-full");
}

class ExplainLiveSmall : public ExplainLive {
 protected:
  ExplainLiveSmall() : ExplainLive(8) {}
};

TEST_F(ExplainLiveSmall, ATableFullOfFlowsInUseIsSaidAndIsFull) {
  Asked a{"scada", "", plc(), "tcp", 40000, 502, kTcpSyn};
  while (!world_.pipeline().flows().full()) {
    for (const std::uint8_t flags : {kTcpSyn, kTcpAck}) {
      a.flags = flags;
      send(a);
      if (flags == kTcpSyn)
        send({"plc", "", plant_hosts().at("scada").v4, "tcp", 502, a.from_port, kTcpSyn | kTcpAck});
    }
    EXPECT_NE(told(explain(a)), "flow-table-full");
    ++a.from_port;
  }
  a.flags = kTcpSyn;
  EXPECT_EQ(told(explain(a)), "flow-table-full");
  send(a);
  EXPECT_EQ(met(), "flow-table-full");
}

// --- what was dropped --------------------------------------------------------------------------

TEST_F(ExplainLive, AfterAFloodTheOlderDropIsStillExplained) {
  send({"plc", "", plant_hosts().at("scada").v4, "tcp", 40000, 443, kTcpSyn});
  ASSERT_EQ(met(), "default-deny");
  // Ten seconds of a device that dials everywhere and of senders whom nobody enrolled.
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    Asked flood{"meter", "",    IpAddress::v4(0x0a1e0000 + i),
                "udp",   40000, static_cast<std::uint16_t>(1 + i % 65535),
                0};
    if (i % 2 == 0) flood.sender = "rogue";
    send(flood);
    if (i % 1000 == 0) world_.wait(milliseconds(50));
  }
  const auto answer = last({"device=plc"});
  ASSERT_TRUE(answer) << answer.error().context;
  const json drops = json::parse(*answer)["drops"];
  ASSERT_EQ(drops.size(), 1U);
  EXPECT_EQ(drops[0]["reason"], "default-deny");
  EXPECT_EQ(drops[0]["destination_port"], 443);
  EXPECT_EQ(drops[0]["note"], "");
  EXPECT_EQ(told(drops[0]["explanation"]), "default-deny");
  EXPECT_EQ(step(drops[0]["explanation"], "source"), "plc");
  EXPECT_FALSE(drops[0]["explanation"]["candidates"].empty());
  // The flood is there, too, counted in full.
  const json meter = json::parse(*last({"device=meter", "count=1"}))["drops"];
  ASSERT_EQ(meter.size(), 1U);
}

TEST_F(ExplainLive, ADropThatWouldPassTodaySaysUnderWhichRevision) {
  model::Gateway without = plant();
  std::erase_if(without.conduits, [](const auto& c) { return c.name == "scada-plc"; });
  world_.apply(without);
  send({"scada", "", plc(), "tcp", 40000, 502, kTcpSyn});
  ASSERT_EQ(met(), "default-deny");
  world_.apply(plant());
  const json drop = json::parse(*last({"device=scada"}))["drops"][0];
  EXPECT_EQ(told(drop["explanation"]), "by scada-plc");
  EXPECT_EQ(drop["note"],
            fmt::format("revision {} was in force then; under revision {} it would pass",
                        drop["revision"].get<int>(), drop["revision"].get<int>() + 1));
}

TEST_F(ExplainLive, TheFilterIsTheRowsOwnFields) {
  send({"plc", "", plant_hosts().at("scada").v4, "tcp", 40000, 443, kTcpSyn});
  send({"plc", "", plant_hosts().at("scada").v4, "tcp", 40000, 444, kTcpSyn});
  EXPECT_EQ(json::parse(*last({"destination_port=443"}))["drops"].size(), 1U);
  EXPECT_EQ(json::parse(*last({"segment=field", "count=32"}))["drops"].size(), 2U);
  EXPECT_TRUE(json::parse(*last({"segment=office"}))["drops"].empty());
  for (const char* wrong : {"colour=red", "device", "count=0", "count=33", "count=x"}) {
    const auto answer = last({wrong});
    ASSERT_FALSE(answer) << wrong;
    EXPECT_EQ(answer.error().code, "bad-filter");
  }
  EXPECT_NE(last({"colour=red"}).error().context.find("destination_port"), std::string::npos)
      << "it says what there is";
}

TEST_F(ExplainLive, WhatPolicyNeverSawHasOnlyItsReason) {
  const Host& scada = plant_hosts().at("scada");
  world_.receive("lan3", PacketBuilder({scada.mac, scada.v4, 40000},
                                       {world_.segment_mac("office"), plc(), 502})
                             .tcp(kTcpSyn | kTcpFin));
  ASSERT_EQ(met(), "tcp-flags");
  const json drop = json::parse(*last({"reason=tcp-flags"}))["drops"][0];
  EXPECT_FALSE(drop["help"].get<std::string>().empty());
  EXPECT_TRUE(drop["explanation"].is_null() || told(drop["explanation"]) == "tcp-flags");
}

}  // namespace
}  // namespace sallyport::testing
