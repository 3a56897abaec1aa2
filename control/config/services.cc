#include "control/config/services.h"

#include <array>
#include <charconv>

namespace sallyport::control {
namespace {

constexpr auto kTcp = IpProtocol::kTcp;
constexpr auto kUdp = IpProtocol::kUdp;

constexpr std::array kServices{
    KnownService{"modbus", kTcp, 502, true, "Modbus/TCP"},
    KnownService{"modbus-tls", kTcp, 802, false, "Modbus/TCP Security"},
    KnownService{"mqtt", kTcp, 1883, true, "MQTT"},
    KnownService{"mqtts", kTcp, 8883, false, "MQTT over TLS"},
    KnownService{"http", kTcp, 80, true, "HTTP"},
    KnownService{"https", kTcp, 443, false, "HTTP over TLS"},
    KnownService{"coap", kUdp, 5683, true, "CoAP"},
    KnownService{"coaps", kUdp, 5684, false, "CoAP over DTLS"},
    KnownService{"dns", kUdp, 53, true, "DNS over UDP"},
    KnownService{"dns-tcp", kTcp, 53, true, "DNS over TCP"},
    KnownService{"dot", kTcp, 853, false, "DNS over TLS"},
    KnownService{"ntp", kUdp, 123, true, "NTP"},
    KnownService{"ssh", kTcp, 22, false, "SSH"},
    KnownService{"telnet", kTcp, 23, true, "Telnet"},
    KnownService{"ftp", kTcp, 21, true, "FTP, control connection only"},
    KnownService{"tftp", kUdp, 69, true, "TFTP, first packet only"},
    KnownService{"smtp", kTcp, 25, true, "SMTP"},
    KnownService{"snmp", kUdp, 161, true, "SNMP"},
    KnownService{"syslog", kUdp, 514, true, "syslog over UDP"},
    KnownService{"syslog-tls", kTcp, 6514, false, "syslog over TLS"},
    KnownService{"rtsp", kTcp, 554, true, "RTSP, control connection only"},
    KnownService{"opc-ua", kTcp, 4840, false, "OPC UA"},
    KnownService{"s7", kTcp, 102, true, "ISO on TCP (S7)"},
    KnownService{"enip", kTcp, 44818, true, "EtherNet/IP, explicit messages"},
    KnownService{"dnp3", kTcp, 20000, true, "DNP3"},
    KnownService{"iec104", kTcp, 2404, true, "IEC 60870-5-104"},
    KnownService{"bacnet", kUdp, 47808, true, "BACnet/IP"},
};

constexpr std::uint16_t kEchoRequest = 8;  // RFC 792; the compiler uses 128 in IPv6 (RFC 4443)

std::optional<std::uint16_t> parse_port(std::string_view text) {
  unsigned value = 0;
  if (text.empty() || text.size() > 5 || text.front() == '0') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > 65535)
    return std::nullopt;
  return static_cast<std::uint16_t>(value);
}

bool holds_plaintext(IpProtocol protocol, const PortRange& ports) {
  for (const KnownService& service : kServices)
    if (service.plaintext && service.protocol == protocol && ports.contains(service.port))
      return true;
  return false;
}

}  // namespace

std::span<const KnownService> known_services() { return kServices; }

std::optional<model::ServiceSpec> parse_service(std::string_view text) {
  model::ServiceSpec spec;
  spec.text = std::string(text);
  if (text == "icmp-echo") {
    spec.protocol = IpProtocol::kIcmp;
    spec.ports = {kEchoRequest, kEchoRequest};
    return spec;
  }
  for (const KnownService& service : kServices) {
    if (service.name != text) continue;
    spec.protocol = service.protocol;
    spec.ports = {service.port, service.port};
    spec.plaintext = service.plaintext;
    return spec;
  }
  if (text.starts_with("tcp/")) {
    spec.protocol = kTcp;
  } else if (text.starts_with("udp/")) {
    spec.protocol = kUdp;
  } else {
    return std::nullopt;
  }
  const std::string_view ports = text.substr(4);
  const std::size_t dash = ports.find('-');
  const auto first = parse_port(ports.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_port(ports.substr(dash + 1));
  if (!first || !last || *last < *first) return std::nullopt;
  spec.ports = {*first, *last};
  spec.plaintext = holds_plaintext(spec.protocol, spec.ports);
  return spec;
}

}  // namespace sallyport::control
