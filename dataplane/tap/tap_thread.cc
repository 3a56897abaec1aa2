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
#include <cerrno>
#include <cstring>
#include <ctime>
#include <span>

#include "dataplane/dpdk/eal.h"

namespace sallyport::dataplane {
namespace {

// One direction of one TAP, before the other gets its turn.
constexpr int kPacketsPerPass = 256;
constexpr std::size_t kPacketsAtOnce = 32;
constexpr timespec kLongestSleep{0, 500'000'000};
// While a worker has no room for more: it empties a ring in about a millisecond.
constexpr timespec kUntilRoom{0, 100'000};

constexpr unsigned kOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;

template <class Bytes>
iovec part(Bytes bytes) {
  return {bytes.data(), bytes.size()};
}

}  // namespace

struct TapThread::Tap final : MergedWriter {
  Tap(SegmentSlot its_segment, os::UniqueFd its_fd, HostStackRings& its_rings, Counters& all,
      bool with_offloads)
      : segment(its_segment),
        fd(std::move(its_fd)),
        rings(its_rings),
        counters(all),
        offloads(with_offloads) {}

  void write(Merged& merged) noexcept override;
  bool put(std::span<const iovec> parts) const noexcept {
    // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): no queue blocks, see attach()
    return writev(fd.get(), parts.data(), static_cast<int>(parts.size())) > 0;
  }
  void put_alone(Packet& packet) noexcept {
    VnetHeader header{};
    const std::array parts{iovec{&header, sizeof header}, part(packet.bytes())};
    ++(put(parts) ? counters.to_host : counters.to_host_failed);
  }

  SegmentSlot segment;
  os::UniqueFd fd;
  HostStackRings& rings;
  Counters& counters;
  bool offloads;
  HostFrame taken;  // of `frame`, what was not handed over yet
  std::array<std::uint8_t, HostFrame::kMaxSize + 1> frame;  // a longer one shows as too long
};

void TapThread::Tap::write(Merged& merged) noexcept {
  if (merged.count == 1) return put_alone(merged.packets.front());
  MergedHead head = head_of(merged);
  std::array<iovec, Merged::kMost + 2> parts;
  parts[0] = {&head.header, sizeof head.header};
  parts[1] = {head.space.data(), head.size};
  for (std::size_t i = 0; i < merged.count; ++i) parts[i + 2] = part(payload_of(merged.packets[i]));
  if (!put(std::span(parts).first(merged.count + 2))) {
    counters.to_host_failed += merged.count;
    return;
  }
  counters.to_host += merged.count;
  counters.to_host_merged += merged.count;
  ++counters.to_host_supers;
}

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
  const bool offloads = ioctl(fd.get(), TUNSETOFFLOAD, kOffloads) == 0;
  if (ioctl(fd.get(), TUNSETVNETHDRSZ, &header) != 0 ||
      (!offloads && ioctl(fd.get(), TUNSETOFFLOAD, 0) != 0) || flags < 0 ||
      fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail(ErrorKind::kSystem, "tap-attach",
                fmt::format("not a usable TAP queue: {}", std::strerror(errno)));
  }
  detach(segment);
  const std::scoped_lock hold(lock_);
  taps_.push_back(std::make_unique<Tap>(segment, std::move(fd), rings, counters_, offloads));
  ring_bell();
  return {};
}

void TapThread::detach(SegmentSlot segment) {
  const std::scoped_lock hold(lock_);
  std::erase_if(taps_, [&](const auto& tap) { return tap->segment == segment; });
}

void TapThread::ring_bell() noexcept {
  const std::uint64_t one = 1;
  if (bell_) static_cast<void>(!::write(bell_.get(), &one, sizeof one));
}

// --- from the host stack -----------------------------------------------------------------------

// False when there is none.
bool TapThread::read_frame(Tap& tap) {
  VnetHeader header{};
  const std::array parts{iovec{&header, sizeof header}, part(std::span(tap.frame))};
  // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection): no queue here blocks, see attach()
  const ssize_t size = readv(tap.fd.get(), parts.data(), parts.size());
  if (size < 0) {
    if (errno == EBADFD) tap.fd.reset();  // its device is gone, and would wake us for ever
    return false;
  }
  const auto bytes = static_cast<std::size_t>(size);
  const auto taken =
      bytes < sizeof header
          ? std::nullopt
          : HostFrame::of(header, ConstBytes(tap.frame).first(bytes - sizeof header));
  // An offload that we never asked for would leave a frame that is not what it says.
  if (taken && (tap.offloads || (header.flags & VnetHeader::kNeedsSum) == 0)) {
    tap.taken = *taken;
    if (taken->is_super()) ++counters_.from_host_supers;
  } else {
    ++counters_.from_host_dropped;
  }
  return true;
}

// What is left of the frame that was read, as far as the worker has room; returns how many packets.
std::uint32_t TapThread::hand_over(Tap& tap) {
  const bool cut = tap.taken.is_super();
  std::uint32_t packets = 0;
  std::array<Packet, PacketPool::kMostAtOnce> fresh;
  while (const std::size_t count =
             std::min({tap.taken.left(), tap.rings.from_host.room(), fresh.size()})) {
    const std::span burst(fresh.data(), count);
    if (!pool_.alloc(burst)) {
      counters_.from_host_dropped += tap.taken.left();
      tap.taken = {};
      break;
    }
    for (Packet& packet : burst) {
      if (!packet.resize(tap.taken.next_size())) {
        counters_.from_host_dropped += tap.taken.left();
        tap.taken = {};
        break;
      }
      tap.taken.next(packet.bytes());
      tap.rings.from_host.push(packet);
      ++packets;
    }
  }
  if (packets != 0) counters_.from_host += packets;
  if (packets != 0 && cut) counters_.from_host_cut += packets;
  return packets;
}

bool TapThread::from_host(Tap& tap) {
  bool any = false;
  for (int turn = kPacketsPerPass; turn > 0;) {
    const bool came = tap.taken.done() && read_frame(tap);
    const std::uint32_t packets = hand_over(tap);
    if (!came && packets == 0) break;
    any = true;
    turn -= std::max(static_cast<int>(packets), 1);
  }
  if (any && tap.rings.worker != nullptr) tap.rings.worker->ring();
  return any;
}

// --- into the host stack -----------------------------------------------------------------------

bool TapThread::to_host(Tap& tap) {
  std::array<Packet, kPacketsAtOnce> burst;
  std::size_t done = 0;
  while (done < kPacketsPerPass) {
    const std::span packets(burst.data(), tap.rings.to_host.pop(burst));
    if (packets.empty()) break;
    ask_for(packets);
    for (Packet& packet : packets) {
      if (tap.offloads) {
        merger_.add(std::move(packet), tap);
      } else {
        tap.put_alone(packet);
        packet.reset();
      }
    }
    done += packets.size();
  }
  merger_.flush(tap);
  return done != 0;
}

// --- the thread --------------------------------------------------------------------------------

bool TapThread::pump() {
  const std::scoped_lock hold(lock_);
  bool any = false;
  for (const auto& tap : taps_) {
    any = from_host(*tap) || any;
    any = to_host(*tap) || any;
  }
  return any;
}

// Until something comes. Announces it, looks once more, then sleeps: a packet put in between rings
// the bell. A TAP whose frame waits for room is not asked for more, but looked after soon.
void TapThread::sleep() {
  sleeping_.exchange(1, std::memory_order_acq_rel);
  wait_.assign(1, {bell_.get(), POLLIN, 0});
  bool waiting = false;
  timespec longest = kLongestSleep;
  {
    const std::scoped_lock hold(lock_);
    for (const auto& tap : taps_) {
      waiting = waiting || !tap->rings.to_host.empty();
      const bool full = !tap->taken.done();
      if (full) longest = kUntilRoom;
      wait_.push_back({tap->fd.get(), static_cast<short>(full ? 0 : POLLIN), 0});
    }
  }
  if (!waiting) ppoll(wait_.data(), wait_.size(), &longest, nullptr);
  sleeping_.store(0, std::memory_order_relaxed);
  std::uint64_t rung = 0;
  static_cast<void>(!read(bell_.get(), &rung, sizeof rung));
}

void TapThread::run() {
  register_dpdk_thread();
  prctl(PR_SET_NAME, "tap");
  while (!stop_) {
    if (!pump()) sleep();
  }
}

}  // namespace sallyport::dataplane
