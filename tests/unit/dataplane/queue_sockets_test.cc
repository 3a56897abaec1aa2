// A port of the kernel's with a queue for each worker: the socket that a queue is said to have is
// the one by which its frames come. Needs root, for network namespaces of its own.
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <memory>

#include "dataplane/dpdk/port.h"
#include "tests/support/netns.h"
#include "tests/support/pipeline_world.h"
#include "tests/support/process.h"

namespace sallyport::testing {
namespace {

constexpr std::size_t kEach = 10;

TEST(QueueSockets, EachQueuesFramesAnnounceThemselvesByItsOwn) {
  if (!is_root()) GTEST_SKIP() << "needs root for network namespaces";
  const Namespace host("host"), gateway("gateway");
  join(host, "eth0", gateway, "lan1");
  std::array<dataplane::PacketPool, 2> pools{test_pool(), test_pool()};
  std::unique_ptr<dataplane::EthPort> port;
  gateway.run([&] {
    auto opened = dataplane::EthPort::open("net_af_packet_queues,iface=lan1,qpairs=2", pools);
    ASSERT_TRUE(opened) << opened.error().context;
    port = std::move(*opened);
  });
  ASSERT_TRUE(port);
  ASSERT_EQ(port->rx_queues(), 2U);
  EXPECT_EQ(port->health().woken_by, "socket");
  std::array<pollfd, 2> sockets{};
  for (std::size_t i = 0; i < 2; ++i) sockets[i] = {port->queue(i).arrivals(), POLLIN, 0};
  ASSERT_NE(sockets[0].fd, sockets[1].fd);
  const Wire wire(host, "eth0");
  const Host& meter = plant_hosts().at("meter");
  std::array<std::size_t, 2> came{};
  // The kernel deals them out by a hash of both ends.
  for (std::uint16_t i = 0; came[0] < kEach || came[1] < kEach; ++i) {
    ASSERT_LT(i, 100 * kEach) << came[0] << " and " << came[1];
    const std::vector<std::uint8_t> frame =
        PacketBuilder({meter.mac, meter.v4, static_cast<std::uint16_t>(20000 + i)},
                      {plant_hosts().at("plc").mac, plant_hosts().at("plc").v4, 5683})
            .udp();
    wire.send(frame);
    // Only queues whose socket says so are looked into; the host says things of its own, too.
    ASSERT_TRUE(wait_until([&] {
      ::poll(sockets.data(), sockets.size(), 0);
      bool met = false;
      for (std::size_t queue = 0; queue < 2; ++queue) {
        if (sockets[queue].revents == 0) continue;
        std::array<dataplane::Packet, dataplane::kBurst> burst;
        const std::size_t count = port->queue(queue).receive(burst);
        for (const dataplane::Packet& packet : std::span(burst).first(count)) {
          if (!std::ranges::equal(packet.bytes(), frame)) continue;
          ++came[queue];
          met = true;
        }
      }
      return met;
    })) << "frame "
        << i << ": " << came[0] << " and " << came[1];
  }
}

}  // namespace
}  // namespace sallyport::testing
