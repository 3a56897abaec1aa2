#include "tests/perf/policy/plant_text.h"

#include <fmt/format.h>

namespace sallyport::bench {
namespace {

constexpr const char* kHead = R"(version: 1
ports:
  lan1: { device: "net_af_packet0,iface=lan1" }
  lan2: { device: "net_af_xdp0,iface=lan2" }
  lan3: { device: "net_af_packet1,iface=lan3" }
  lan4: { device: "net_af_xdp1,iface=lan4" }
  off1: { device: "net_af_xdp2,iface=off1" }
  wan:  { device: "net_af_packet2,iface=wan" }
segments:
  uplink: { ports: [wan], role: uplink, address: [192.0.2.2/24, "2001:db8::2/64"], gateway: [192.0.2.1, "2001:db8::1"], mac: "02:53:50:00:10:03" }
)";
constexpr const char* kReview =
    R"(    review: {{ by: plant-security, on: 2026-11-01, expires: 2036-11-01, reason: "line {} of the plant" }}
)";

class Writer {
 public:
  explicit Writer(const PlantSize& size) : size_(size) {}

  std::string run() {
    out_ = kHead;
    for (std::size_t s = 0; s < size_.segments; ++s)
      add("  hall{0}: {{ ports: [lan{1}.{2}], address: [10.{3}.0.1/16, \"fd00:{3}::1/64\"], "
          "services: [dns, ntp] }}\n",
          s, 1 + s % 4, 100 + s, 100 + s);
    out_ += "devices:\n";
    for (std::size_t d = 0; d < size_.devices; ++d) {
      const std::size_t s = d % size_.segments;
      const std::size_t n = d / size_.segments;
      add("  dev{}: {{ segment: hall{}, port: lan{}.{}, mac: \"02:00:00:01:{:02x}:{:02x}\", "
          "address: [10.{}.{}.{}, \"fd00:{}::{:x}\"] }}\n",
          d, s, 1 + s % 4, 100 + s, d / 256, d % 256, 100 + s, 1 + n / 200, 10 + n % 200, 100 + s,
          16 + n);
    }
    out_ += "conduits:\n";
    for (std::size_t c = 0; c < size_.conduits; ++c) add_conduit(c);
    for (std::size_t c = 0; c < size_.between_segments; ++c) {
      const std::size_t from = c / size_.segments % size_.segments;
      add("  all{0}:\n    from: {{ segment: hall{1} }}\n    to: {{ segment: hall{2} }}\n"
          "    service: udp/{3}\n",
          c, from, c % size_.segments, 20'000 + c / (size_.segments * size_.segments));
      add(kReview, c);
    }
    return std::move(out_);
  }

 private:
  template <class... Args>
  void add(const char* form, const Args&... args) {
    out_ += fmt::format(fmt::runtime(form), args...);
  }

  // A device's conduits are so many apart that their ports never meet.
  void add_conduit(std::size_t c) {
    const std::size_t device = c % size_.devices;
    const std::size_t turn = c / size_.devices;
    const std::size_t kind = c / 7 % 10;
    add("  c{}:\n", c);
    if (kind < 4) {
      const std::size_t other = (device * 7 + turn * 131 + 1) % size_.devices;
      const std::size_t port = 2000 + turn * 10 + (c + 1 == size_.conduits ? size_.variant % 2 : 0);
      add("    from: dev{}\n    to: dev{}\n    service: tcp/{}-{}\n", device,
          other == device ? (other + 1) % size_.devices : other, port, port + 5);
    } else if (kind < 7) {
      add("    from: dev{}\n    to: {{ address: [203.0.{}.{}, \"2001:db8:{:x}::{:x}\"] }}\n"
          "    service: tcp/443\n",
          device, 1 + c / 200, 1 + c % 200, 1 + c / 200, 1 + c % 200);
    } else if (kind < 9) {
      add("    from: {{ segment: uplink }}\n    to: dev{}\n    service: modbus\n"
          "    terminate: {{ side: inbound, listen: {{ address: gateway, port: {} }}, "
          "certificate: gw, client-auth: required, client-ca: plant-ca }}\n"
          "    inspect: {{ modbus: {{ functions: [1, 2, 3, 4] }} }}\n",
          device, 1000 + c);
    } else {
      add("    from: dev{}\n    to: {{ name: n{}.example }}\n    service: mqtt\n"
          "    terminate: {{ side: outbound, server: {{ name: broker.example, port: 8883 }}, "
          "server-ca: cloud-ca, certificate: gw-client }}\n",
          device, c);
    }
    add(kReview, c);
  }

  const PlantSize& size_;
  std::string out_;
};

}  // namespace

std::string plant_text(const PlantSize& size) { return Writer(size).run(); }

}  // namespace sallyport::bench
