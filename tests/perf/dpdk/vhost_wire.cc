#include "tests/perf/dpdk/vhost_wire.h"

#include <fmt/format.h>
#include <poll.h>
#include <rte_ethdev.h>

namespace sallyport::bench {
namespace {

using dataplane::EthPort;

constexpr int kPatienceMs = 5000;
constexpr int kLookMs = 5;

// The ends talk to each other in a thread of vhost's.
bool comes_up(const EthPort& port) {
  for (int waited = 0; waited < kPatienceMs; waited += kLookMs) {
    if (port.health().link_up) return true;
    ::poll(nullptr, 0, kLookMs);
  }
  return false;
}

}  // namespace

Result<ProcessWire> make_vhost_wire(const std::string& name, const std::string& folder,
                                    dataplane::PacketPool& pool) {
  const std::string socket = folder + "/" + name + ".vhost";
  ProcessWire out;
  SALLYPORT_TRY(out.host, EthPort::open(fmt::format("net_vhost_{},iface={}", name, socket), pool));
  const std::string device = "net_virtio_user_" + name;
  SALLYPORT_TRY(out.gateway, EthPort::open(fmt::format("{},path={}", device, socket), pool));
  if (!comes_up(*out.host) || rte_eth_dev_get_port_by_name(device.c_str(), &out.gateway_id) != 0)
    return fail(ErrorKind::kSystem, "no-figure",
                name + ": virtio and vhost do not find each other");
  return out;
}

}  // namespace sallyport::bench
