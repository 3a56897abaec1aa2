#include "tests/perf/fastpath/traffic.h"

#include <algorithm>
#include <fstream>
#include <random>

#include "dataplane/flow/port_mappings.h"
#include "tests/support/packet_builder.h"

namespace sallyport::bench {
namespace {

using dataplane::kTcpAck;
using dataplane::kTcpSyn;
using testing::PacketBuilder;

constexpr std::size_t kSmallest = 64;
constexpr std::uint16_t kFirstSource = 10'000;

struct OpenFlow {
  Ends ends;
  std::uint16_t source_port;
};
OpenFlow flow_of(const TrafficCase& c, std::size_t index) {
  return {ends_of(c.plant, index % c.plant.conduits),
          static_cast<std::uint16_t>(kFirstSource + index / c.plant.conduits)};
}

PacketBuilder from_client(const TrafficCase& c, const BuiltPlant& plant, const OpenFlow& f) {
  return {{f.ends.client_mac, f.ends.client(c.version), f.source_port},
          {plant.gateway_mac("field"), f.ends.server(c.version), f.ends.port}};
}
PacketBuilder from_server(const TrafficCase& c, const BuiltPlant& plant, const OpenFlow& f) {
  return {{f.ends.server_mac, f.ends.server(c.version), f.ends.port},
          {plant.gateway_mac("office"), f.ends.client(c.version), f.source_port}};
}

// The client's first byte is 1001, the server's 2000: what a tracker of windows wants to see.
void number(PacketBuilder& builder, std::uint8_t flags) {
  if (flags == kTcpSyn) {
    builder.sequence(1000, 0);
  } else if ((flags & kTcpSyn) != 0) {
    builder.sequence(1999, 1001);
  } else {
    builder.sequence(1001, 2000);
  }
}

// Filled up to the smallest frame; an opening carries no data.
FrameBytes filled(PacketBuilder builder, IpProtocol protocol, std::uint8_t flags) {
  const auto build = [&] {
    return protocol == IpProtocol::kTcp ? builder.tcp(flags) : builder.udp();
  };
  const std::size_t bare = build().size();
  if (bare < kSmallest) builder.payload(FrameBytes(kSmallest - bare, 0x55));
  return build();
}

FrameBytes packet(PacketBuilder builder, IpProtocol protocol, std::uint8_t flags) {
  number(builder, flags);
  return filled(std::move(builder), protocol, flags);
}

// As the servers of kMapped know its flows.
FrameBytes mapped_answer(const TrafficCase& c, const BuiltPlant& plant, std::size_t flow,
                         std::uint16_t mapped_port, std::uint8_t flags) {
  const Ends& ends = flow_of(c, flow).ends;
  PacketBuilder builder({kRouterMac, ends.server4, ends.port},
                        {plant.gateway_mac("outside"), kOutsideOwn, mapped_port});
  builder.vlan(kOutsideVlan);
  const bool syn = (flags & kTcpSyn) != 0;
  return filled(builder.sequence(syn ? 1999 : 2000, 1001), ends.protocol, flags);
}

// A new flow's first one, or one of an open flow.
FrameBytes ordinary(const TrafficCase& c, const BuiltPlant& plant, std::size_t index, bool first) {
  const OpenFlow f = flow_of(c, index);
  return packet(from_client(c, plant, f), f.ends.protocol, first ? kTcpSyn : kTcpAck);
}

FrameBytes attack(const TrafficCase& c, const BuiltPlant& plant, std::mt19937& random) {
  OpenFlow f{ends_of(c.plant, random() % c.plant.conduits),
             static_cast<std::uint16_t>(1024 + random() % 60'000)};
  switch (c.load) {
    case Load::kUnknownMac:
      f.ends.client_mac =
          MacAddress({0x02, 0xee, static_cast<std::uint8_t>(random()),
                      static_cast<std::uint8_t>(random()), static_cast<std::uint8_t>(random()), 1});
      f.ends.client4 = IpAddress::v4(0x0a140000U | random() % 65'536);
      break;
    case Load::kSpoofedAddress:
      f.ends.client4 = IpAddress::v4(0x0a148000U | random() % 32'768);
      break;
    default:
      f.ends.port = static_cast<std::uint16_t>(20'000 + random() % 40'000);
      f.ends.server4 = ends_of(c.plant, random() % c.plant.conduits).server4;
  }
  return packet(from_client(c, plant, f), f.ends.protocol, kTcpSyn);
}

}  // namespace

Opening mapped_opening(const TrafficCase& c, const BuiltPlant& plant, std::size_t flow,
                       std::uint16_t mapped_port) {
  return {ordinary(c, plant, flow, true),
          mapped_answer(c, plant, flow, mapped_port, kTcpSyn | kTcpAck),
          ordinary(c, plant, flow, false)};
}

Opening opening_of(const TrafficCase& c, const BuiltPlant& plant, std::size_t index) {
  const OpenFlow f = flow_of(c, index);
  if (f.ends.protocol != IpProtocol::kTcp)
    return {packet(from_client(c, plant, f), f.ends.protocol, 0),
            packet(from_server(c, plant, f), f.ends.protocol, 0),
            packet(from_client(c, plant, f), f.ends.protocol, 0)};
  return {packet(from_client(c, plant, f), IpProtocol::kTcp, kTcpSyn),
          packet(from_server(c, plant, f), IpProtocol::kTcp, kTcpSyn | kTcpAck),
          packet(from_client(c, plant, f), IpProtocol::kTcp, kTcpAck)};
}

std::vector<std::uint16_t> mapped_ports(const TrafficCase& c) {
  dataplane::PortMappings mappings(kBenchSecret);
  std::vector<std::uint16_t> out;
  for (std::size_t i = 0; i < c.packets / 2; ++i) {
    const OpenFlow f = flow_of(c, i);
    dataplane::Flow flow;
    flow.client = f.ends.client4;
    flow.at_client.port = f.source_port;
    flow.protocol = f.ends.protocol;
    flow.at_client.live(static_cast<dataplane::DeviceSlot>(i % c.plant.devices), 0);
    flow.at_server.live(dataplane::kNoDevice, 1);
    out.push_back(mappings.take(flow).value());
  }
  return out;
}

FrameBytes router_answer(const BuiltPlant& plant) {
  return PacketBuilder({kRouterMac, kRouter, 0}, {plant.gateway_mac("outside"), kOutsideOwn, 0})
      .vlan(kOutsideVlan)
      .neighbour_answer();
}

std::vector<FrameBytes> frames_of(const TrafficCase& c, const BuiltPlant& plant) {
  std::mt19937 random(1);
  const auto ports = c.load == Load::kMapped ? mapped_ports(c) : std::vector<std::uint16_t>();
  std::vector<FrameBytes> out;
  out.reserve(c.packets);
  for (std::size_t i = 0; i < c.packets; ++i) {
    switch (c.load) {
      case Load::kEstablished:
        out.push_back(ordinary(c, plant, i, false));
        break;
      case Load::kMapped:
        out.push_back(i % 2 == 0 ? ordinary(c, plant, i / 2, false)
                                 : mapped_answer(c, plant, i / 2, ports[i / 2], kTcpAck));
        break;
      case Load::kNewFlows:
        out.push_back(ordinary(c, plant, i, true));
        break;
      case Load::kMixed:
        out.push_back(i % kNewShare == 0 ? ordinary(c, plant, c.table + i / kNewShare, true)
                                         : ordinary(c, plant, random() % kActiveFlows, false));
        break;
      default:
        out.push_back(attack(c, plant, random));
    }
  }
  std::ranges::shuffle(out, random);
  return out;
}

bool write_capture(const std::string& path, const std::vector<FrameBytes>& frames) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  const auto word = [&](std::uint32_t value) {
    out.write(reinterpret_cast<const char*>(&value), sizeof value);
  };
  // Magic, version 2.4, zone, accuracy, longest packet, Ethernet.
  for (const std::uint32_t value : {0xa1b2c3d4U, 0x00040002U, 0U, 0U, 65'535U, 1U}) word(value);
  for (const FrameBytes& frame : frames) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    for (const std::uint32_t value : {0U, 0U, size, size}) word(value);
    out.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(size));
  }
  return out.flush().good();
}

}  // namespace sallyport::bench
