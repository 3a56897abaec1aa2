#include "dataplane/app/worker.h"

#include <sys/prctl.h>

#include <algorithm>
#include <ctime>

#include "dataplane/dpdk/eal.h"
#include "policy/os/clock.h"

namespace sallyport::dataplane {
namespace {

// Polls without work before the first sleep; sleeps then grow from the shortest to the longest.
constexpr std::uint32_t kBusyPolls = 64;
constexpr std::int64_t kShortestSleepNs = 20'000;
constexpr std::int64_t kLongestSleepNs = 200'000;

void sleep_ns(std::int64_t ns) {
  const timespec span{0, ns};
  nanosleep(&span, nullptr);
}

}  // namespace

Worker::Worker(Pipeline& pipeline, TapThread& taps, std::vector<Port> ports)
    : pipeline_(pipeline), taps_(taps), ports_(std::move(ports)), loads_(ports_.size()) {}

Worker::~Worker() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::do_between_bursts(const std::function<void(Pipeline&)>& work) {
  request_.store(&work, std::memory_order_release);
  while (request_.load(std::memory_order_acquire) != nullptr) sleep_ns(kShortestSleepNs);
}

std::size_t Worker::poll_once(Instant now) {
  std::size_t done = 0;
  std::array<Packet, kBurst> burst;
  for (std::size_t p = 0; p < ports_.size(); ++p) {
    const std::size_t count = ports_[p].driver->receive(burst);
    for (std::size_t i = 0; i < count; ++i) {
      loads_[p].rx_bytes += burst[i].bytes().size();
      pipeline_.from_port(ports_[p].slot, std::move(burst[i]), now);
    }
    loads_[p].rx_packets += count;
    done += count;
  }
  const auto stacks = pipeline_.exits().host_stacks();
  for (std::size_t segment = 0; segment < stacks.size(); ++segment) {
    for (std::size_t i = 0; i < kBurst; ++i) {
      Packet packet = stacks[segment].receive();
      if (!packet) break;
      pipeline_.from_host(static_cast<SegmentSlot>(segment), std::move(packet), now);
      ++done;
    }
  }
  pipeline_.housekeeping(now);
  pipeline_.flush(now);
  if (pipeline_.exits().take_host_stack_pending()) taps_.wake();
  return done;
}

void Worker::run() {
  register_dpdk_thread();
  prctl(PR_SET_NAME, "worker");
  prctl(PR_SET_TIMERSLACK, 1);
  std::uint32_t idle = 0;
  while (!stop_.load(std::memory_order_relaxed)) {
    idle = poll_once(os::steady_now()) == 0 ? idle + 1 : 0;
    ++polls_;
    if (const auto* work = request_.load(std::memory_order_acquire)) {
      (*work)(pipeline_);
      request_.store(nullptr, std::memory_order_release);
      continue;
    }
    if (idle <= kBusyPolls) continue;
    ++sleeps_;
    sleep_ns(std::min(kShortestSleepNs * std::int64_t{idle / kBusyPolls}, kLongestSleepNs));
  }
}

}  // namespace sallyport::dataplane
