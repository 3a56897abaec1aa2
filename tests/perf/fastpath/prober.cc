#include "tests/perf/fastpath/prober.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ctime>
#include <memory>
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
// Who is paced takes back so many more than it has just sent, so that many that come back at once
// do not make it late, and who was late sees to it that what waits for it becomes less.
constexpr std::size_t kFew = 8;
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
  restock(0);
  restock(kBurst);
}

void Prober::restock(std::size_t half) noexcept {
  const std::span buffers = std::span(stock_).subspan(half, kBurst);
  SALLYPORT_CHECK(pool_.alloc(buffers));
  for (Packet& packet : buffers) __builtin_prefetch(packet.bytes().data(), 1);
}

Packet Prober::next_frame() noexcept {
  const FrameBytes& frame = frames_[next_];
  next_ = next_ + 1 == frames_.size() ? 0 : next_ + 1;
  Packet packet = std::move(stock_[next_buffer_]);
  next_buffer_ = (next_buffer_ + 1) % stock_.size();
  if (next_buffer_ % kBurst == 0) restock((next_buffer_ + kBurst) % stock_.size());
  SALLYPORT_CHECK(packet.resize(frame.size()));
  std::ranges::copy(frame, packet.bytes().begin());
  return packet;
}

std::uint64_t Prober::send(std::size_t count, Passage& passage) noexcept {
  std::array<Packet, kBurst> burst;
  SALLYPORT_CHECK(count <= burst.size());
  for (std::size_t i = 0; i < count; ++i) burst[i] = next_frame();
  const std::uint64_t now = dataplane::cycles();
  for (std::size_t i = 0; i < count; ++i) write_time(burst[i], now);
  passage.sent += count;
  passage.refused += count - out_.transmit(std::span(burst).first(count));
  return now;
}

template <class Got>
std::size_t Prober::receive(std::size_t most, Got&& got) noexcept {
  std::array<Packet, kBurst> burst;
  const std::size_t count = back_.receive(std::span(burst).first(std::min(most, burst.size())));
  const std::uint64_t now = dataplane::cycles();
  dataplane::ask_for(std::span(burst).first(count));
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t sent = time_in(burst[i]);
    // What an earlier passage left, or nobody here sent, is none of this one's.
    if (sent >= began_ && sent <= now) got(sent, now);
  }
  return count;
}

std::size_t Prober::receive(Passage& passage) noexcept {
  return receive(kBurst,
                 [&](std::uint64_t sent, std::uint64_t now) { passage.cycles.add(now - sent); });
}

template <class Receive>
void Prober::await(const Passage& passage, Receive&& receive_some) noexcept {
  const std::uint64_t last = dataplane::cycles();
  while (passage.cycles.count() + passage.refused < passage.sent && seconds_since(last) < kPatience)
    receive_some();
}

Slices Prober::paced(const Pace& pace) {
  const double hertz = dataplane::cycles_per_second();
  const auto cycles = [&](double seconds) { return static_cast<std::uint64_t>(seconds * hertz); };
  const auto all = std::make_unique<Passage>();
  Slices out(cycles(pace.slice), pace.slices);
  began_ = dataplane::cycles();
  out.start(began_ + cycles(pace.settle));
  Pacer pacer(began_, hertz / pace.packets_per_second);
  static_assert(Pacer::kMost <= kBurst);
  const auto receive_few = [&](std::size_t sent_now) {
    receive(sent_now + kFew, [&](std::uint64_t sent, std::uint64_t now) {
      all->cycles.add(now - sent);
      out.came_back(sent, now - sent);
    });
  };
  std::uint64_t before = began_;
  std::uint64_t given_up = 0;
  // The last look sends nothing: it only tells whether this thread was there to the end.
  for (bool over = false; !over;) {
    const std::uint64_t now = dataplane::cycles();
    over = now >= out.end();
    const std::size_t due = pacer.due(std::min(now, out.end()));
    if (const std::uint64_t until_now = pacer.given_up(); until_now > given_up) {
      given_up = until_now;
      out.sender_was_away(before, now);
    }
    if (over) break;
    if (due > 0) out.sent(send(due, *all), due);
    receive_few(due);
    before = now;
  }
  await(*all, [&] { receive_few(0); });
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

Passage Prober::one_by_one(std::size_t count, const Pauses& pauses,
                           const std::function<void()>& halfway) {
  Passage out;
  std::mt19937_64 random(1);
  std::uniform_int_distribution<std::int64_t> span(pauses.shortest.count(), pauses.longest.count());
  began_ = dataplane::cycles();
  for (std::size_t i = 0; i < count; ++i) {
    const Duration half(span(random) / 2);
    pause(half);
    halfway();
    pause(half);
    send(1, out);
    await(out, [&] { receive(out); });
  }
  out.seconds = seconds_since(began_);
  return out;
}

}  // namespace sallyport::bench
