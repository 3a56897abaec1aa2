// The plant of pipeline_world.h with everything that decides about owners: NAPT44, conduits of all
// kinds between devices and beyond, direct and terminated, in both directions between two of them.
#pragma once

#include <string_view>
#include <utility>

#include "tests/support/pipeline_world.h"

namespace sallyport::testing {

inline model::Gateway crowded_plant() {
  model::Gateway g = plant();
  for (model::Segment& s : g.segments) s.napt44 = s.name == "uplink";
  const auto add = [&](const char* name, model::End from, model::End to, const char* text,
                       IpProtocol protocol, std::uint16_t port) -> model::Conduit& {
    model::Conduit c = g.conduits.front();
    c.name = name;
    c.from = std::move(from);
    c.to = std::move(to);
    c.service = {text, protocol, {port, port}, false};
    return g.conduits.emplace_back(std::move(c));
  };
  const auto host = [](std::string_view name) -> const Host& {
    return plant_hosts().at(std::string(name));
  };
  const model::End outside =
      model::AddressEnd{{host("cloud").v4, host("cloud").v6, host("far").v4, host("far").v6}};
  for (const char* device : {"plc", "meter", "camera", "scada"}) {
    add((std::string(device) + "-coap").c_str(), model::DeviceEnd{device}, outside, "udp/5683",
        IpProtocol::kUdp, 5683);
    add((std::string(device) + "-echo").c_str(), model::DeviceEnd{device}, outside, "icmp-echo",
        IpProtocol::kIcmp, 8);
  }
  add("plc-meter", model::DeviceEnd{"plc"}, model::DeviceEnd{"meter"}, "udp/5683", IpProtocol::kUdp,
      5683);
  add("camera-scada", model::DeviceEnd{"camera"}, model::DeviceEnd{"scada"}, "udp/9000",
      IpProtocol::kUdp, 9000);
  add("cloud-camera",
      model::SegmentEnd{"uplink",
                        {*IpPrefix::parse("192.0.2.0/24"), *IpPrefix::parse("2001:db8::/64")}},
      model::DeviceEnd{"camera"}, "tcp/80", IpProtocol::kTcp, 80);
  model::Terminate outbound;
  outbound.side = model::Side::kOutbound;
  outbound.server_name = "broker.example";
  outbound.server_address = host("cloud").v4;
  outbound.server_port = 8883;
  outbound.server_ca = "cloud-ca";
  add("meter-broker", model::DeviceEnd{"meter"},
      model::AddressEnd{{host("far").v4, host("far").v6}}, "tcp/1883", IpProtocol::kTcp, 1883)
      .terminate = outbound;
  // Between two devices, so that what their addresses say is not what the conduit says.
  add("camera-broker", model::DeviceEnd{"camera"},
      model::AddressEnd{{host("plc").v4, host("plc").v6}}, "tcp/1883", IpProtocol::kTcp, 1883)
      .terminate = outbound;
  return g;
}

}  // namespace sallyport::testing
