#include "dataplane/tap/tap_thread.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace sallyport::dataplane {
namespace {

// linux/virtio_net.h's virtio_net_hdr, whose header is no C++ (virtio 1.2 §5.1.6).
struct VnetHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;  // 0: none
  std::uint16_t header_size = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t checksum_start = 0;
  std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);
constexpr int kFramesPerPass = 64;
constexpr int kLongestSleepMs = 500;

}  // namespace

TapThread::TapThread(PacketPool& pool) : pool_(pool) {}

TapThread::~TapThread() {
  stop_ = true;
  ring_bell();
  if (thread_.joinable()) thread_.join();
}

Result<void> TapThread::start() {
  bell_.reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!bell_) return fail(ErrorKind::kSystem, "tap-thread", std::strerror(errno));
  thread_ = std::thread([this] { run(); });
  return {};
}

Result<void> TapThread::attach(SegmentSlot segment, os::UniqueFd fd, HostStackRings& rings) {
  int header = sizeof(VnetHeader);
  const int flags = fcntl(fd.get(), F_GETFL);
  if (ioctl(fd.get(), TUNSETVNETHDRSZ, &header) != 0 || ioctl(fd.get(), TUNSETOFFLOAD, 0) != 0 ||
      flags < 0 || fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail(ErrorKind::kSystem, "tap-attach",
                fmt::format("not a usable TAP queue: {}", std::strerror(errno)));
  }
  detach(segment);
  const std::scoped_lock hold(lock_);
  taps_.push_back(std::make_unique<Tap>(Tap{segment, std::move(fd), &rings}));
  ring_bell();
  return {};
}

void TapThread::detach(SegmentSlot segment) {
  const std::scoped_lock hold(lock_);
  std::erase_if(taps_, [&](const auto& tap) { return tap->segment == segment; });
}

void TapThread::ring_bell() noexcept {
  const std::uint64_t one = 1;
  if (bell_) static_cast<void>(!write(bell_.get(), &one, sizeof one));
}

bool TapThread::read_one(Tap& tap) {
  std::array<std::uint8_t, sizeof(VnetHeader) + 2048> space;
  // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): no queue here blocks, see attach()
  const ssize_t size = read(tap.fd.get(), space.data(), space.size());
  if (size < 0) return false;
  const auto bytes = ConstBytes(space).first(static_cast<std::size_t>(size));
  VnetHeader header{};
  if (bytes.size() > sizeof header) std::memcpy(&header, bytes.data(), sizeof header);
  Packet packet;
  // An offload that we never offered would leave a frame that is not what it says.
  if (bytes.size() > sizeof header && header.flags == 0 && header.gso_type == 0) {
    packet = pool_.copy_of(bytes.subspan(sizeof header));
  }
  if (packet && tap.rings->from_host.push(packet)) {
    ++counters_.from_host;
  } else {
    ++counters_.from_host_dropped;
  }
  return true;
}

bool TapThread::write_one(Tap& tap) {
  Packet packet = tap.rings->to_host.pop();
  if (!packet) return false;
  VnetHeader header{};
  const MutableBytes frame = packet.bytes();
  std::array<iovec, 2> parts{{{&header, sizeof header}, {frame.data(), frame.size()}}};
  const ssize_t written = writev(tap.fd.get(), parts.data(), parts.size());
  ++(written > 0 ? counters_.to_host : counters_.to_host_failed);
  return true;
}

bool TapThread::pump(Tap& tap) {
  bool any = false;
  for (int i = 0; i < kFramesPerPass; ++i) {
    const bool in = read_one(tap);
    const bool out = write_one(tap);
    if (!in && !out) break;
    any = true;
  }
  if (any && tap.rings->worker != nullptr) tap.rings->worker->ring();
  return any;
}

void TapThread::run() {
  prctl(PR_SET_NAME, "tap");
  std::vector<pollfd> wait;
  while (!stop_) {
    bool any = false;
    wait.assign(1, {bell_.get(), POLLIN, 0});
    {
      const std::scoped_lock hold(lock_);
      for (const auto& tap : taps_) {
        any = pump(*tap) || any;
        wait.push_back({tap->fd.get(), POLLIN, 0});
      }
    }
    if (any) continue;
    // Announce the sleep, look once more, then sleep: a packet put in between rings the bell.
    sleeping_.exchange(1, std::memory_order_acq_rel);
    bool waiting = false;
    {
      const std::scoped_lock hold(lock_);
      waiting =
          std::ranges::any_of(taps_, [](const auto& t) { return !t->rings->to_host.empty(); });
    }
    if (!waiting) poll(wait.data(), wait.size(), kLongestSleepMs);
    sleeping_.store(0, std::memory_order_relaxed);
    std::uint64_t rung = 0;
    static_cast<void>(!read(bell_.get(), &rung, sizeof rung));
  }
}

}  // namespace sallyport::dataplane
