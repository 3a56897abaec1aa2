#include "tests/perf/dpdk/ring_wire.h"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_ring.h>

#include <array>

#include "dataplane/dpdk/eal.h"

namespace sallyport::bench {
namespace {

using dataplane::EthPort;

constexpr std::uint16_t kTestpmdBurst = 32;  // its --burst

std::unexpected<Error> refused(const std::string& what) {
  return fail(ErrorKind::kSystem, "no-figure",
              fmt::format("{}: {}", what, rte_strerror(rte_errno)));
}

Result<rte_ring*> ring(const std::string& name) {
  rte_ring* out = rte_ring_create(name.c_str(), kRingPackets, SOCKET_ID_ANY,
                                  RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
  if (out == nullptr) return refused(name);
  return out;
}

// A port that receives from one ring and sends into the other.
Result<std::unique_ptr<EthPort>> port(const std::string& name, rte_ring* from, rte_ring* to,
                                      dataplane::PacketPool& pool) {
  if (rte_eth_from_rings(name.c_str(), &from, 1, &to, 1, 0) < 0) return refused(name);
  return EthPort::open("net_ring_" + name, pool);
}

void forward(std::uint16_t from, std::uint16_t to) noexcept {
  std::array<rte_mbuf*, kTestpmdBurst> burst;
  const std::uint16_t count = rte_eth_rx_burst(from, 0, burst.data(), kTestpmdBurst);
  if (count == 0) return;
  const std::uint16_t sent = rte_eth_tx_burst(to, 0, burst.data(), count);
  for (std::uint16_t i = sent; i < count; ++i) rte_pktmbuf_free(burst[i]);
}

}  // namespace

Result<ProcessWire> make_ring_wire(const std::string& name, dataplane::PacketPool& pool) {
  SALLYPORT_TRY(rte_ring* const inwards, ring(name + "-inwards"));
  SALLYPORT_TRY(rte_ring* const outwards, ring(name + "-outwards"));
  ProcessWire out;
  SALLYPORT_TRY(out.gateway, port(name + "-gateway", inwards, outwards, pool));
  SALLYPORT_TRY(out.host, port(name + "-host", outwards, inwards, pool));
  const std::string device = "net_ring_" + name + "-gateway";
  if (rte_eth_dev_get_port_by_name(device.c_str(), &out.gateway_id) != 0) return refused(device);
  return out;
}

void forward_io(const ProcessWire& a, const ProcessWire& b,
                const std::atomic<bool>& stop) noexcept {
  dataplane::register_dpdk_thread();
  while (!stop.load(std::memory_order_relaxed)) {
    forward(a.gateway_id, b.gateway_id);
    forward(b.gateway_id, a.gateway_id);
  }
}

}  // namespace sallyport::bench
