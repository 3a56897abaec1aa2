#include "tests/support/tap_rig.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "dataplane/stages/parse.h"
#include "policy/os/clock.h"
#include "tests/support/plain_sums.h"

namespace sallyport::testing {
namespace {

using dataplane::Packet;

constexpr std::size_t kLongestFrame = 1514;

[[noreturn]] void give_up(const char* what) {
  throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

dataplane::PipelineOptions options_now() {
  dataplane::PipelineOptions options;
  options.flows = 1024;
  options.hash_secret = {1, 2};
  options.now = os::steady_now();
  return options;
}

struct SocketAddress {
  sockaddr_storage space{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&space); }
};
SocketAddress socket_address(const IpAddress& address, std::uint16_t port) {
  SocketAddress out;
  if (address.is_v4()) {
    auto& to = reinterpret_cast<sockaddr_in&>(out.space);
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    std::memcpy(&to.sin_addr, address.bytes().data() + 12, 4);
    out.size = sizeof to;
  } else {
    auto& to = reinterpret_cast<sockaddr_in6&>(out.space);
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(port);
    std::memcpy(&to.sin6_addr, address.bytes().data(), 16);
    out.size = sizeof to;
  }
  return out;
}
os::UniqueFd tcp_socket(const Namespace& where, IpVersion version) {
  os::UniqueFd out;
  where.run([&] {
    out.reset(
        ::socket(version == IpVersion::k4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  });
  if (!out) give_up("socket");
  const int yes = 1;
  const timeval longest{20, 0};
  ::setsockopt(out.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  ::setsockopt(out.get(), SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
  ::setsockopt(out.get(), SOL_SOCKET, SO_RCVTIMEO, &longest,
               sizeof longest);  // an accepted one's too
  return out;
}

}  // namespace

os::UniqueFd make_tap(const Namespace& where) {
  os::UniqueFd tap;
  where.run([&] {
    tap.reset(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    std::string("tap0").copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
    if (::ioctl(tap.get(), TUNSETIFF, &request) != 0) tap.reset();
  });
  if (!tap) give_up("tap0");
  return tap;
}

void where_offloads_are_refused(const std::function<void()>& work) {
  const auto argument = [](std::uint32_t index) {
    return static_cast<std::uint32_t>(offsetof(seccomp_data, args) + index * 8);
  };
  std::array filter = {
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 5),
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(1)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(TUNSETOFFLOAD), 0,
                           3),
      sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument(2)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
  std::thread([&] {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
      give_up("seccomp");
    work();
  }).join();
}

TapHost::TapHost(const std::string& label, const Link& own, const Link& neighbour)
    : where(label), tap(make_tap(where)) {
  where.ip({"link", "set", "tap0", "address", own.mac.to_string(), "up"});
  where.ip({"addr", "add", own.v4.to_string() + "/24", "dev", "tap0"});
  where.ip({"addr", "add", own.v6.to_string() + "/64", "dev", "tap0", "nodad"});
  for (const IpAddress& address : {neighbour.v4, neighbour.v6})
    where.ip({"neigh", "replace", address.to_string(), "lladdr", neighbour.mac.to_string(), "nud",
              "permanent", "dev", "tap0"});
}

// --- the wire ----------------------------------------------------------------------------------

bool FrameWire::arrives(const Packet& packet) {
  ++carried_;
  if (faults_.inspect && complaint_.empty()) {
    complaint_ =
        packet.bytes().size() > kLongestFrame ? "too long for a wire" : wrong_with(packet.bytes());
    // Neighbour discovery and the like have no sums that are looked at.
    if (complaint_ == "not IP") complaint_.clear();
    if (!complaint_.empty()) complaint_ += ": " + as_scapy(packet.bytes());
  }
  if (!chance(faults_.loss)) return true;
  ++lost_;
  return false;
}

std::size_t FrameWire::transmit(std::span<Packet> burst) noexcept {
  std::size_t taken = 0;
  for (Packet& packet : burst) {
    if (far_.to_host.full()) break;
    ++taken;
    if (arrives(packet)) far_.to_host.push(packet);
    packet.reset();
  }
  thread_.wake();
  return taken;
}

std::size_t FrameWire::receive(std::span<Packet> burst) noexcept {
  std::size_t count = 0;
  while (count < burst.size()) {
    burst[count] = far_.from_host.pop();
    if (!burst[count]) break;
    if (!arrives(burst[count])) {
      burst[count].reset();
      continue;
    }
    if (count != 0 && chance(faults_.swaps)) {
      std::swap(burst[count - 1], burst[count]);
      ++swapped_;
    }
    ++count;
  }
  return count;
}

// --- the rig -----------------------------------------------------------------------------------

IpAddress TapRig::peer_address(IpVersion version) {
  return plant_hosts().at("plc").address(version);
}

TapRig::TapRig(const Options& options)
    : pipeline_(std::make_unique<dataplane::Pipeline>(options_now(), test_pool(),
                                                      test_datagram_pool(), events_)) {
  pipeline_->set_tables(world_.pipeline().tables());
  const Host& plc = plant_hosts().at("plc");
  const TapHost::Link own{world_.segment_mac("field"), *IpAddress::parse("10.20.0.1"),
                          *IpAddress::parse("fd00:20::1")};
  const TapHost::Link device{plc.mac, plc.v4, plc.v6};
  host_ = std::make_unique<TapHost>("field", own, device);
  peer_ = std::make_unique<TapHost>("plc", device, own);
  near_ = std::make_unique<dataplane::TapThread>(test_pool());
  far_ = std::make_unique<dataplane::TapThread>(test_pool());
  const auto attach = [](dataplane::TapThread& thread, std::uint16_t slot, TapHost& end,
                         dataplane::HostStackRings& rings, bool offloads) {
    const auto work = [&] {
      if (!thread.start() || !thread.attach(slot, std::move(end.tap), rings)) give_up("TAP thread");
    };
    offloads ? work() : where_offloads_are_refused(work);
  };
  const std::uint16_t field = world_.segment_slot("field");
  attach(*near_, field, *host_, near_rings_, options.host_offloads);
  attach(*far_, 0, *peer_, far_rings_, options.peer_offloads);
  wire_ = std::make_unique<FrameWire>(far_rings_, *far_, options.faults);
  pipeline_->exits().attach_host_stack(field, near_rings_);
  pipeline_->exits().attach_port(world_.port_slot("lan1"), *wire_);
  worker_ = std::make_unique<dataplane::Worker>(
      *pipeline_, *near_,
      std::vector<dataplane::Worker::Port>{{world_.port_slot("lan1"), wire_.get()}});
  worker_->start();
}

void TapRig::stop() { worker_.reset(); }

TapRig::~TapRig() {
  stop();
  near_.reset();
  far_.reset();
}

Connection connect(const Namespace& from, const Namespace& to, const IpAddress& address,
                   std::uint16_t port) {
  const os::UniqueFd listener = tcp_socket(to, address.version());
  const SocketAddress where = socket_address(address, port);
  if (::bind(listener.get(), where.get(), where.size) != 0 || ::listen(listener.get(), 1) != 0)
    give_up("listen");
  Connection out;
  out.client = tcp_socket(from, address.version());
  if (::connect(out.client.get(), where.get(), where.size) != 0) give_up("connect");
  out.server.reset(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!out.server) give_up("accept");
  return out;
}

}  // namespace sallyport::testing
