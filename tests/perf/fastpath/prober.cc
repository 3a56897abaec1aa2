#include "tests/perf/fastpath/prober.h"

#include <poll.h>

#include <array>
#include <cstring>
#include <ctime>
#include <random>
#include <span>

#include "dataplane/dpdk/cycles.h"
#include "policy/base/check.h"
#include "tests/perf/timing/pacer.h"

namespace sallyport::bench {
namespace {

using dataplane::kBurst;
using dataplane::Packet;

// After the last packet was sent.
constexpr double kPatience = 0.05;
constexpr std::size_t kTime = sizeof(std::uint64_t);

void write_time(Packet& packet, std::uint64_t time) noexcept {
  const auto bytes = packet.bytes();
  std::memcpy(bytes.data() + bytes.size() - kTime, &time, kTime);
}
std::uint64_t time_in(const Packet& packet) noexcept {
  const auto bytes = packet.bytes();
  std::uint64_t time = 0;
  if (bytes.size() >= kTime) std::memcpy(&time, bytes.data() + bytes.size() - kTime, kTime);
  return time;
}

double seconds_since(std::uint64_t start) noexcept {
  return static_cast<double>(dataplane::cycles() - start) / dataplane::cycles_per_second();
}

// What is waited for is that time passes without a packet.
void pause(Duration span) noexcept {
  const timespec time{0, span.count()};
  ::ppoll(nullptr, 0, &time, nullptr);
}

}  // namespace

Prober::Prober(dataplane::PacketPool& pool, dataplane::PortDriver& out, dataplane::PortDriver& back,
               const std::vector<FrameBytes>& frames)
    : pool_(pool), out_(out), back_(back), frames_(frames) {
  SALLYPORT_CHECK(!frames_.empty());
}

void Prober::send(std::size_t count, Passage& passage) noexcept {
  std::array<Packet, kBurst> burst;
  SALLYPORT_CHECK(count <= burst.size());
  for (std::size_t i = 0; i < count; ++i) {
    burst[i] = pool_.copy_of(frames_[next_]);
    SALLYPORT_CHECK(burst[i]);
    next_ = next_ + 1 == frames_.size() ? 0 : next_ + 1;
  }
  const std::uint64_t now = dataplane::cycles();
  for (std::size_t i = 0; i < count; ++i) write_time(burst[i], now);
  passage.sent += count;
  passage.refused += count - out_.transmit(std::span(burst).first(count));
}

std::size_t Prober::receive(Passage& passage) noexcept {
  std::array<Packet, kBurst> burst;
  const std::size_t count = back_.receive(burst);
  const std::uint64_t now = dataplane::cycles();
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t sent = time_in(burst[i]);
    // What an earlier passage left, or nobody here sent, is none of this one's.
    if (sent >= began_ && sent <= now) passage.cycles.add(now - sent);
  }
  return count;
}

void Prober::await(Passage& passage) noexcept {
  const std::uint64_t last = dataplane::cycles();
  while (passage.cycles.count() + passage.refused < passage.sent && seconds_since(last) < kPatience)
    receive(passage);
}

Passage Prober::paced(double packets_per_second, double seconds) {
  Passage out;
  began_ = dataplane::cycles();
  const double hertz = dataplane::cycles_per_second();
  const std::uint64_t end = began_ + static_cast<std::uint64_t>(seconds * hertz);
  Pacer pacer(began_, hertz / packets_per_second);
  static_assert(Pacer::kMost <= kBurst);
  for (std::uint64_t now = began_; now < end; now = dataplane::cycles()) {
    if (const std::size_t due = pacer.due(now); due > 0) send(due, out);
    receive(out);
  }
  out.seconds = seconds;
  out.given_up = pacer.given_up();
  await(out);
  return out;
}

Passage Prober::flood(double seconds) {
  Passage out;
  began_ = dataplane::cycles();
  while (seconds_since(began_) < seconds) {
    const std::uint64_t refused = out.refused;
    send(kBurst, out);
    // A full wire needs no more for a while.
    const bool full = out.refused > refused;
    while (receive(out) == kBurst && full) {
    }
  }
  out.seconds = seconds_since(began_);
  Passage late;
  for (const std::uint64_t last = dataplane::cycles(); seconds_since(last) < kPatience;)
    receive(late);
  return out;
}

Passage Prober::one_by_one(std::size_t count, const std::function<void()>& halfway) {
  Passage out;
  std::mt19937_64 random(1);
  std::uniform_int_distribution<std::int64_t> span(kShortestPause.count(), kLongestPause.count());
  began_ = dataplane::cycles();
  for (std::size_t i = 0; i < count; ++i) {
    const Duration half(span(random) / 2);
    pause(half);
    halfway();
    pause(half);
    send(1, out);
    await(out);
  }
  out.seconds = seconds_since(began_);
  return out;
}

}  // namespace sallyport::bench
