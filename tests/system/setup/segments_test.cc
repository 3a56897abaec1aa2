// What setup makes of a segment, seen from inside and outside.
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "policy/os/memfd.h"
#include "policy/wire/handover.h"
#include "tests/system/setup/daemon.h"

namespace sallyport::testing {
namespace {

using wire::SetupOp;

constexpr std::size_t kVirtioHeader = 10;  // virtio_net_hdr, linux/virtio_net.h

std::string picture(const Namespace& space) {
  std::string out;
  for (const std::vector<std::string>& what :
       std::vector<std::vector<std::string>>{{"-o", "link"},
                                             {"-o", "address"},
                                             {"-4", "route"},
                                             {"-6", "route"},
                                             {"-4", "neigh", "show", "nud", "permanent"},
                                             {"-6", "neigh", "show", "nud", "permanent"}})
    out += space.ip(what);
  return out;
}

std::size_t lines_with(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; at += word.size())
    ++count;
  return count;
}

TEST_F(SetupDaemon, SegmentIsItsOwnNamespaceWithOneTap) {
  make_segment("field");
  const Namespace space = segment("field");
  EXPECT_EQ(lines_with(space.ip({"-o", "link"}), "\n"), 2U) << "lo and tap0";
  const std::string tap = space.ip({"-d", "link", "show", "tap0"});
  for (const char* word :
       {"tun type tap", "pi off", "vnet_hdr on", "persist on", "user root", "02:00:00:00:20:01"})
    EXPECT_NE(tap.find(word), std::string::npos) << word << " in " << tap;
  EXPECT_EQ(space.ip({"route"}), "");
}

TEST_F(SetupDaemon, SegmentCannotForwardLearnOrSpeakUnasked) {
  make_segment("field");
  const Namespace space = segment("field");
  const std::vector<std::pair<std::string, std::string>> promised = {
      {"net/ipv4/ip_forward", "0"},
      {"net/ipv4/ip_local_port_range", "32768\t60999"},
      {"net/ipv4/conf/all/forwarding", "0"},
      {"net/ipv6/conf/all/forwarding", "0"},
      {"net/ipv4/conf/tap0/forwarding", "0"},
      {"net/ipv6/conf/tap0/forwarding", "0"},
      {"net/ipv4/conf/tap0/proxy_arp", "0"},
      {"net/ipv6/conf/tap0/proxy_ndp", "0"},
      {"net/ipv4/conf/tap0/arp_ignore", "1"},
      {"net/ipv4/conf/tap0/arp_announce", "2"},
      {"net/ipv4/conf/tap0/arp_accept", "0"},
      {"net/ipv4/conf/tap0/rp_filter", "1"},
      {"net/ipv4/conf/tap0/accept_redirects", "0"},
      {"net/ipv4/conf/tap0/send_redirects", "0"},
      {"net/ipv4/conf/tap0/accept_source_route", "0"},
      {"net/ipv6/conf/tap0/accept_ra", "0"},
      {"net/ipv6/conf/tap0/autoconf", "0"},
      {"net/ipv6/conf/tap0/accept_redirects", "0"},
      {"net/ipv6/conf/tap0/accept_dad", "0"},
      {"net/ipv6/conf/tap0/dad_transmits", "0"},
      {"net/ipv6/conf/tap0/router_solicitations", "0"},
      {"net/ipv6/conf/tap0/disable_ipv6", "0"},
  };
  for (const auto& [name, value] : promised) EXPECT_EQ(space.sysctl(name), value) << name;
}

TEST_F(SetupDaemon, EverythingMayBeAskedForTwice) {
  for (int round = 0; round < 2; ++round) {
    make_segment("field");
    must(with_address(record(SetupOp::kAddressAdd, "field"), "10.20.0.1", 24));
    must(with_address(record(SetupOp::kAddressAdd, "field"), "fd00:20::1", 64));
    must(with_mac(with_address(record(SetupOp::kNeighbourSet, "field"), "10.20.0.5"), kDeviceMac));
    must(with_mac(with_address(record(SetupOp::kNeighbourSet, "field"), "fd00:20::5"), kDeviceMac));
    must(with_address(record(SetupOp::kRouteDefaultSet, "field"), "10.20.0.254"));
    must(with_address(record(SetupOp::kRouteDefaultSet, "field"), "fd00:20::fe"));
  }
  // Another gateway replaces the first.
  must(with_address(record(SetupOp::kRouteDefaultSet, "field"), "10.20.0.253"));
  must(with_address(record(SetupOp::kRouteDefaultSet, "field"), "fd00:20::fd"));
  const std::string all = picture(segment("field"));
  for (const char* once : {"inet 10.20.0.1/24", "inet6 fd00:20::1/64", "10.20.0.5 dev",
                           "fd00:20::5 dev", "default via 10.20.0.253", "default via fd00:20::fd"})
    EXPECT_EQ(lines_with(all, once), 1U) << once << " in " << all;
  EXPECT_EQ(lines_with(all, "default"), 2U + 2U) << "two routes, two links of the default group";
  for (int round = 0; round < 2; ++round) {
    must(with_address(record(SetupOp::kRouteDefaultDelete, "field"), "0.0.0.0"));
    must(with_address(record(SetupOp::kRouteDefaultDelete, "field"), "::"));
    must(with_address(record(SetupOp::kNeighbourDelete, "field"), "10.20.0.5"));
    must(with_address(record(SetupOp::kNeighbourDelete, "field"), "fd00:20::5"));
    must(with_address(record(SetupOp::kAddressDelete, "field"), "10.20.0.1", 24));
    must(with_address(record(SetupOp::kAddressDelete, "field"), "fd00:20::1", 64));
  }
  const std::string bare = picture(segment("field"));
  for (const char* gone : {"10.20.0.", "fd00:20:", "default via"})
    EXPECT_EQ(lines_with(bare, gone), 0U) << gone << " in " << bare;
  for (int round = 0; round < 2; ++round) must(record(SetupOp::kSegmentDelete, "field"));
  EXPECT_FALSE(std::filesystem::exists("/run/netns/" + prefix_ + "field"));
}

TEST_F(SetupDaemon, AnotherMacIsTakenOver) {
  make_segment("field");
  must(with_mac(record(SetupOp::kSegmentCreate, "field"), kDeviceMac));
  EXPECT_NE(segment("field").ip({"link", "show", "tap0"}).find("02:00:00:00:20:05"),
            std::string::npos);
}

TEST_F(SetupDaemon, TheTapHasTheMtuThatItIsGiven) {
  make_segment("field");
  wire::SetupRequest mtu = record(SetupOp::kMtuSet, "field");
  for (const std::uint32_t value : {1400U, 1280U, 1500U}) {
    mtu.value = value;
    must(mtu);
    EXPECT_NE(segment("field").ip({"link", "show", "tap0"}).find(fmt::format(" mtu {} ", value)),
              std::string::npos);
  }
}

TEST_F(SetupDaemon, KillingItChangesNothingAndARestartAdoptsAll) {
  make_segment("field");
  make_segment("office");
  must(with_address(record(SetupOp::kAddressAdd, "field"), "10.20.0.1", 24));
  must(with_mac(with_address(record(SetupOp::kNeighbourSet, "field"), "10.20.0.5"), kDeviceMac));
  must(with_address(record(SetupOp::kRouteDefaultSet, "field"), "10.20.0.5"));
  // With the dataplane at the other end, so that the link's state stands still.
  const Reply tap = control(record(SetupOp::kTapOpen, "field"));
  ASSERT_EQ(tap.descriptors.size(), 1U);
  ASSERT_TRUE(wait_until([&] {
    const std::string now = picture(segment("field"));
    return now.contains("fe80::") && now.contains("state UP") && !now.contains("linkdown");
  }));
  const std::string before = picture(segment("field"));
  for (int signal : {SIGKILL, SIGTERM}) {
    restart_after(signal);
    EXPECT_EQ(picture(segment("field")), before);
    make_segment("field");
    EXPECT_EQ(picture(segment("field")), before);
    EXPECT_EQ(control(record(SetupOp::kSegmentList)).detail, "field");
    wire::SetupRequest second = record(SetupOp::kSegmentList);
    second.value = 1;
    EXPECT_EQ(control(second).detail, "office");
    second.value = 2;
    EXPECT_EQ(control(second).error, ENOENT);
  }
}

TEST_F(SetupDaemon, TapCarriesFramesBothWays) {
  make_segment("field");
  must(with_address(record(SetupOp::kAddressAdd, "field"), "10.20.0.1", 24));
  Reply tap = control(record(SetupOp::kTapOpen, "field"));
  ASSERT_EQ(tap.descriptors.size(), 1U) << tap.detail;
  Wire inside(segment("field"), "tap0");
  // An empty virtio header, then: who has 10.20.0.1? tell 10.20.0.5.
  std::vector<std::uint8_t> frame(kVirtioHeader, 0);
  const std::vector<std::uint8_t> arp = {
      0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,  0,  0, 0x20, 5, 8, 6, 0, 1, 8, 0,  6,  4, 0,
      1,    2,    0,    0,    0,    0x20, 5, 10, 20, 0, 5,    0, 0, 0, 0, 0, 0, 10, 20, 0, 1};
  frame.insert(frame.end(), arp.begin(), arp.end());
  const auto ask = [&] { return ::write(tap.descriptors[0].get(), frame.data(), frame.size()); };
  ASSERT_EQ(ask(), static_cast<ssize_t>(frame.size()));
  EXPECT_TRUE(inside.wait_for([&](const WireFrame& f) { return !f.outgoing && f.bytes == arp; }));
  const auto is_answer = [&](const std::uint8_t* f, std::size_t size) {
    return size >= 42 && f[12] == 8 && f[13] == 6 && f[21] == 2 &&
           std::memcmp(f + 22, kTapMac.bytes().data(), 6) == 0;
  };
  // As any host, until it is answered: what the kernel says before it knows that somebody is at the
  // link's other end is lost.
  EXPECT_TRUE(wait_until([&] {
    EXPECT_EQ(ask(), static_cast<ssize_t>(frame.size()));
    std::array<std::uint8_t, 2048> out{};
    const ssize_t size = ::read(tap.descriptors[0].get(), out.data(), out.size());
    return size > static_cast<ssize_t>(kVirtioHeader) &&
           is_answer(out.data() + kVirtioHeader, static_cast<std::size_t>(size) - kVirtioHeader);
  })) << "the kernel's answer for the gateway's own address";
}

TEST_F(SetupDaemon, TapHasOneReaderAtATime) {
  make_segment("field");
  Reply first = control(record(SetupOp::kTapOpen, "field"));
  ASSERT_EQ(first.descriptors.size(), 1U);
  EXPECT_EQ(control(record(SetupOp::kTapOpen, "field")).error, EBUSY);
  first.descriptors.clear();
  EXPECT_EQ(control(record(SetupOp::kTapOpen, "field")).error, 0);
  EXPECT_EQ(control(record(SetupOp::kTapOpen, "absent")).error, ENOENT);
}

TEST_F(SetupDaemon, NoSegmentReachesAnother) {
  for (const char* name : {"field", "office"}) make_segment(name);
  must(with_address(record(SetupOp::kAddressAdd, "field"), "10.20.0.1", 24));
  must(with_address(record(SetupOp::kAddressAdd, "office"), "10.30.0.1", 24));
  for (const char* name : {"field", "office", "ports"}) {
    const Namespace space = segment(name);
    for (const char* kind : {"veth", "bridge", "macvlan", "ipvlan", "vlan"})
      EXPECT_EQ(space.ip({"link", "show", "type", kind}), "") << name << " " << kind;
  }
  segment("field").run([] {
    const os::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in office = {};
    office.sin_family = AF_INET;
    office.sin_port = htons(9);
    office.sin_addr.s_addr = htonl(0x0a1e0001);
    EXPECT_NE(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&office), sizeof(office)),
              0);
    EXPECT_EQ(errno, ENETUNREACH);
  });
}

TEST_F(SetupDaemon, SocketsLiveInTheirSegment) {
  make_segment("field");
  must(with_address(record(SetupOp::kAddressAdd, "field"), "10.20.0.1", 24));
  Client terminator(socket_, kTerminator);
  for (unsigned family : {4U, 6U}) {
    for (unsigned type : {1U, 2U}) {
      const auto reply = terminator.ask(socket_record("field", family, type));
      ASSERT_TRUE(reply);
      ASSERT_EQ(reply->descriptors.size(), 1U) << reply->detail;
      const int fd = reply->descriptors[0].get();
      int value = 0;
      socklen_t size = sizeof(value);
      ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &value, &size);
      EXPECT_EQ(value, type == 1 ? SOCK_STREAM : SOCK_DGRAM);
      ::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &value, &size);
      EXPECT_EQ(value, family == 4 ? AF_INET : AF_INET6);
      if (family == 6) {
        ::getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &value, &size);
        EXPECT_EQ(value, 1);
        continue;
      }
      sockaddr_in own = {};
      own.sin_family = AF_INET;
      own.sin_addr.s_addr = htonl(0x0a140001);
      EXPECT_EQ(::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof(own)), 0)
          << "an address that only the segment has";
    }
  }
}

TEST_F(SetupDaemon, RingIsSealedAndTheSameForBoth) {
  const Reply for_control = control(record(SetupOp::kOpenRing));
  const auto for_terminator = Client(socket_, kTerminator).ask(record(SetupOp::kOpenRing));
  ASSERT_EQ(for_control.descriptors.size(), 1U);
  ASSERT_TRUE(for_terminator && for_terminator->descriptors.size() == 1U);
  auto ours = os::map_shared(for_control.descriptors[0].get(), sizeof(wire::HandoverMemory));
  auto theirs = os::map_shared(for_terminator->descriptors[0].get(), sizeof(wire::HandoverMemory));
  ASSERT_TRUE(ours && theirs);
  static_cast<std::uint8_t*>(ours->data())[100] = 7;
  EXPECT_EQ(theirs->bytes()[100], 7);
}

TEST_F(SetupDaemon, DeletedSegmentIsCutForWhoeverStillHoldsASocket) {
  make_segment("field");
  must(with_address(record(SetupOp::kAddressAdd, "field"), "10.20.0.1", 24));
  const auto held = Client(socket_, kTerminator).ask(socket_record("field", 4, 2));
  ASSERT_TRUE(held && held->descriptors.size() == 1U);
  must(record(SetupOp::kSegmentDelete, "field"));
  sockaddr_in device = {};
  device.sin_family = AF_INET;
  device.sin_port = htons(9);
  device.sin_addr.s_addr = htonl(0x0a140005);
  EXPECT_NE(::connect(held->descriptors[0].get(), reinterpret_cast<const sockaddr*>(&device),
                      sizeof(device)),
            0);
  EXPECT_EQ(errno, ENETUNREACH);
}

}  // namespace
}  // namespace sallyport::testing
