#include "tests/perf/admission/field.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <new>
#include <numeric>
#include <random>

namespace sallyport::bench {

using namespace admission;

namespace {

// As the data plane's: huge pages where there are any.
std::span<Place> map_places(std::size_t count) {
  void* memory = mmap(nullptr, count * sizeof(Place), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  madvise(memory, count * sizeof(Place), MADV_HUGEPAGE);
  return {static_cast<Place*>(memory), count};
}

Arrival first_packet(std::uint32_t client) {
  Arrival arrival;
  arrival.syn.source_port = static_cast<std::uint16_t>(1024 + client % 50'000);
  arrival.syn.sequence = client * 2'654'435'761U;
  arrival.syn.window = 64'240;
  arrival.syn.mss = 1460;
  return arrival;
}

}  // namespace

const char* name(Decisions what) {
  switch (what) {
    case Decisions::kHeld:
      return "held";
    case Decisions::kFirst:
      return "first";
    case Decisions::kStorm:
      return "storm";
    case Decisions::kTurns:
      return "turn";
  }
  return "?";
}

const char* description(Decisions what) {
  switch (what) {
    case Decisions::kHeld:
      return "a repeated SYN of a client that waits";
    case Decisions::kFirst:
      return "the first SYN of a client, filed in its lane's order";
    case Decisions::kStorm:
      return "a storm's mixture: one first SYN and four repeated ones per client";
    case Decisions::kTurns:
      return "a turn given and its handshake ended";
  }
  return "?";
}

Field::Field(std::size_t places) : size_(places), memory_(map_places(places)), actions_(kBurst) {}

Field::~Field() { munmap(memory_.data(), memory_.size_bytes()); }

std::size_t Field::prepare(Decisions what) {
  std::ranges::fill(memory_, Place{});
  engine_ = std::make_unique<Engine>(memory_, Engine::Limits{.conduits = 1, .lanes = kLanes});
  ConduitConfig config;
  // Turns are as many as asked for when they are measured, and next to none otherwise.
  config.rate_per_s = what == Decisions::kTurns ? 4'000'000'000U : 100;
  config.inflight = what == Decisions::kTurns ? 4'000'000U : 64;
  config.per_device_per_s = 0;
  std::array<Engine::LaneSpec, kLanes> lanes;
  for (std::size_t i = 0; i < kLanes; ++i) lanes[i].id = static_cast<LaneId>(i);
  now_ = Instant::from_ns(1'000'000'000'000);
  engine_->set_conduit(0, config, lanes, 1, now_);
  for (std::uint32_t c = 0; c < size_; ++c)
    engine_->bind(c, static_cast<LaneId>(c / 64 % kLanes), 1);
  order_.resize(size_);
  std::iota(order_.begin(), order_.end(), 0U);
  std::mt19937 random(1);
  if (what == Decisions::kStorm) {
    for (int repeat = 0; repeat < 4; ++repeat)
      order_.insert(order_.end(), order_.begin(), order_.begin() + static_cast<long>(size_));
  }
  std::ranges::shuffle(order_, random);
  if (what == Decisions::kHeld || what == Decisions::kTurns) everybody_dials();
  return order_.size() / kBurst * kBurst;
}

void Field::everybody_dials() {
  for (std::uint32_t c = 0; c < size_; ++c) engine_->arrive(c, first_packet(c), now_);
  now_ = now_ + std::chrono::seconds(1);
}

void Field::decide(Decisions what, std::size_t first, std::size_t count) {
  if (what == Decisions::kTurns) {
    turns(count);
  } else {
    arrive(first, count);
  }
}

void Field::arrive(std::size_t first, std::size_t count) {
  const std::size_t end = first + count;
  for (std::size_t i = first; i < end; ++i) {
    if (i + kPrefetchAhead < order_.size()) engine_->prefetch(order_[i + kPrefetchAhead]);
    engine_->arrive(order_[i], first_packet(order_[i]), now_);
  }
}

void Field::turns(std::size_t count) {
  for (std::size_t done = 0; done < count;) {
    now_ = now_ + std::chrono::microseconds(100);
    const std::size_t n =
        engine_->poll(now_, std::span(actions_).first(std::min(count - done, actions_.size())));
    for (std::size_t i = 0; i < n; ++i) {
      const Action& a = actions_[i];
      if (a.kind != Action::Kind::kRelease) continue;
      engine_->finished(a.place, a.generation, Outcome::kEstablished, Handshake::kFull,
                        std::chrono::milliseconds(20), now_);
      ++done;
    }
  }
}

}  // namespace sallyport::bench
