// Packets for two workers to chew on, sorted by whose they are.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/owner.h"
#include "dataplane/stages/parse.h"
#include "tests/support/crowded_plant.h"
#include "tests/support/fragment_builder.h"

namespace sallyport::testing {

using Bytes = std::vector<std::uint8_t>;
using dataplane::kTcpAck;
using dataplane::kTcpSyn;
using dataplane::WorkerSlot;

// The crowded plant, with packets of each worker's that leave by lan3.
inline model::Gateway plant_of_both_owners() {
  model::Gateway g = crowded_plant();
  const auto add = [&](const char* from, const char* to, const char* text, std::uint16_t port) {
    model::Conduit c = g.conduits.front();
    c.name = std::string(from) + "-" + to + "-udp";
    c.from = model::DeviceEnd{from};
    c.to = model::DeviceEnd{to};
    c.service = {text, IpProtocol::kUdp, {port, port}, false};
    g.conduits.push_back(std::move(c));
  };
  add("meter", "scada", "udp/5684", 5684);
  add("scada", "meter", "udp/5685", 5685);
  return g;
}

// Of every kind: flows between devices and beyond, mapped and routed, whole and in pieces, and what
// is dropped, for owners of both.
class OwnedTraffic {
 public:
  explicit OwnedTraffic(const PipelineWorld& world) : world_(world) {
    for (const IpVersion version : {IpVersion::k4, IpVersion::k6}) {
      for (std::uint16_t i = 0; i < 4; ++i) {
        connection(version, "scada", static_cast<std::uint16_t>(40000 + i), "plc", 502);
        connection(version, "scada", static_cast<std::uint16_t>(40000 + i), "camera", 80);
      }
      both_ways(version, "meter", 40000, "plc", 5683);
      both_ways(version, "plc", 40000, "meter", 5683);
      both_ways(version, "camera", 40000, "scada", 9000);
      both_ways(version, "meter", 40000, "scada", 5684);
      both_ways(version, "scada", 40000, "meter", 5685);
      // Its answers come to its own address.
      if (version == IpVersion::k6) connection(version, "meter", 40000, "cloud", 8883);
      add("scada", packet(version, "scada", 7, "plc", 0).echo(true));
      for (const char* device : {"plc", "meter", "camera", "scada"}) {
        for (std::uint16_t i = 0; i < 8; ++i)
          add(device,
              packet(version, device, static_cast<std::uint16_t>(41000 + i), "far", 5683).udp());
        add(device, packet(version, device, 9, "far", 9).udp());
      }
      for (const char* device : {"plc", "meter"})
        for (const Bytes& piece : fragments_of(
                 packet(version, device, 42000, "far", 5683).payload(Bytes(900)).udp(), 400, 77))
          add(device, piece);
      const Host& rogue = plant_hosts().at("rogue");
      sent_.push_back({rogue.port, packet(version, "rogue", 9, "far", 9).udp(), std::nullopt});
      const IpAddress own =
          *IpAddress::parse(version == IpVersion::k4 ? "192.0.2.2" : "2001:db8::2");
      for (const char* name : {"router", "cloud"}) {
        const Host& near = plant_hosts().at(name);
        add(name, PacketBuilder({near.mac, near.address(version), 0},
                                {world.segment_mac("uplink"), own, 0})
                      .neighbour_answer());
      }
    }
  }
  // What comes in by a port and is to be judged by `owner`.
  std::vector<Bytes> of(std::string_view port, WorkerSlot owner) const {
    std::vector<Bytes> out;
    for (const Sent& one : sent_)
      if (one.port == port && one.owner.value_or(owner) == owner) out.push_back(one.frame);
    return out;
  }

 private:
  PacketBuilder packet(IpVersion version, const char* from, std::uint16_t from_port, const char* to,
                       std::uint16_t to_port) const {
    const Host& client = plant_hosts().at(from);
    PacketBuilder out(
        {client.mac, client.address(version), from_port},
        {world_.segment_mac(client.segment), plant_hosts().at(to).address(version), to_port});
    out.vlan(client.vlan);
    return out;
  }
  void add(const char* from, const Bytes& frame) {
    dataplane::Headers h;
    ASSERT_FALSE(dataplane::parse_frame(frame, h)) << as_scapy(frame);
    sent_.push_back(
        {plant_hosts().at(from).port, frame, dataplane::Owners(2).of(frame, h, world_.tables())});
  }
  void both_ways(IpVersion version, const char* client, std::uint16_t client_port,
                 const char* server, std::uint16_t port) {
    add(client, packet(version, client, client_port, server, port).udp());
    add(server, packet(version, server, port, client, client_port).udp());
  }
  void connection(IpVersion version, const char* client, std::uint16_t client_port,
                  const char* server, std::uint16_t port) {
    const PacketBuilder there = packet(version, client, client_port, server, port);
    const PacketBuilder back = packet(version, server, port, client, client_port);
    add(client, there.tcp(kTcpSyn));
    add(server, back.tcp(kTcpSyn | kTcpAck));
    add(client, there.tcp(kTcpAck));
    add(server, back.tcp(kTcpAck));
    add(server, back.unreachable(there.tcp(kTcpAck)));
  }
  struct Sent {
    std::string port;
    Bytes frame;
    std::optional<WorkerSlot> owner;  // nothing: of nobody's, so it is whoever's that read it
  };
  const PipelineWorld& world_;
  std::vector<Sent> sent_;
};

}  // namespace sallyport::testing
