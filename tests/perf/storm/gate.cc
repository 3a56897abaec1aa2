#include "tests/perf/storm/gate.h"

namespace sallyport::storm {

using namespace admission;

EngineGate::EngineGate(const Scenario& scenario, std::span<const std::uint8_t> segment_of, Slot now)
    : actions_(256) {
  const auto workers = static_cast<WorkerId>(scenario.workers);
  const std::size_t per_worker = (scenario.clients + workers - 1) / workers;
  ConduitConfig config;
  config.rate_per_s = static_cast<std::uint32_t>(scenario.capacity * scenario.ceiling);
  config.inflight = std::max<std::uint32_t>(
      1024, static_cast<std::uint32_t>(scenario.capacity * std::max(1.0, scenario.ceiling)));
  std::vector<Engine::LaneSpec> lanes;
  for (std::uint32_t s = 0; s < scenario.segments; ++s) {
    lanes.push_back({.id = static_cast<LaneId>(s),
                     .weight = s < scenario.weights.size() ? scenario.weights[s] : std::uint16_t{1},
                     .priority = static_cast<std::uint8_t>(scenario.high_class && s > 0 ? 1 : 0)});
  }
  for (WorkerId w = 0; w < workers; ++w) {
    memory_.push_back(std::make_unique<Place[]>(per_worker));
    engines_.push_back(std::make_unique<Engine>(
        std::span(memory_.back().get(), per_worker),
        Engine::Limits{.conduits = 1, .lanes = scenario.segments, .self = w, .workers = workers}));
    engines_.back()->set_conduit(0, config, lanes, 1, instant(now));
  }
  for (std::uint32_t client = 0; client < scenario.clients; ++client)
    engines_[worker_of(client)]->bind(client / workers, segment_of[client], 1);
  mail_.reserve(4096);
  delivered_.reserve(4096);
}

Decision EngineGate::arrive(std::uint32_t client, const Arrival& arrival, Slot now) {
  const std::uint64_t before = allocations();
  const Decision decision = engines_[worker_of(client)]->arrive(
      client / static_cast<std::uint32_t>(engines_.size()), arrival, instant(now));
  allocations_ += allocations() - before;
  return decision;
}

void EngineGate::progress(std::uint32_t client, PlaceId place, std::uint32_t generation,
                          Progress what, bool resumed, Slot server_time, Slot now) {
  engines_[worker_of(client)]->progress(
      place, generation, what,
      resumed ? admission::Handshake::kResumed : admission::Handshake::kFull,
      std::chrono::microseconds(250) * server_time, instant(now));
}

void EngineGate::asks(std::uint32_t client, PlaceId place, std::uint32_t generation, bool resumed) {
  engines_[worker_of(client)]->asks(place, generation,
                                    resumed ? Handshake::kResumed : Handshake::kFull);
}

// One handshake every 20 ms, each taking as long as on an idle server.
void EngineGate::teach_one(std::uint32_t client, bool resumed, bool last) {
  const auto workers = static_cast<std::uint32_t>(engines_.size());
  begin_ = begin_ + std::chrono::milliseconds(20);
  const Instant now = begin_;
  Arrival arrival;
  arrival.syn.source_port = 1000;
  const Decision decision = engines_[worker_of(client)]->arrive(client / workers, arrival, now);
  SALLYPORT_CHECK(decision.verdict == Verdict::kPass);
  lessons_.push_back({client, decision.place, generation(client, decision.place), resumed,
                      now + std::chrono::milliseconds(80)});
  while (!lessons_.empty() && (last || lessons_.front().end <= now)) {
    const Lesson& lesson = lessons_.front();
    const Handshake kind = lesson.resumed ? Handshake::kResumed : Handshake::kFull;
    Engine& engine = *engines_[worker_of(lesson.client)];
    engine.progress(lesson.place, lesson.generation, Progress::kServerHello, kind,
                    std::chrono::milliseconds(lesson.resumed ? 5 : 20), now);
    engine.finished(lesson.place, lesson.generation, Outcome::kEstablished, kind, {}, now);
    lessons_.pop_front();
  }
  for (const auto& engine : engines_) engine->poll(now, actions_);
  if (last) begin_ = begin_ + std::chrono::minutes(1);
}

void EngineGate::finished(std::uint32_t client, PlaceId place, std::uint32_t generation,
                          Outcome outcome, bool resumed, Slot server_time, Slot now) {
  const std::uint64_t before = allocations();
  engines_[worker_of(client)]->finished(place, generation, outcome,
                                        resumed ? Handshake::kResumed : Handshake::kFull,
                                        std::chrono::microseconds(250) * server_time, instant(now));
  allocations_ += allocations() - before;
}

void EngineGate::deliver(Slot now) {
  delivered_.clear();
  std::swap(mail_, delivered_);
  for (const Action& a : delivered_) {
    const std::uint64_t before = allocations();
    if (a.kind == Action::Kind::kReport) {
      engines_[a.to]->receive(a.report, instant(now));
    } else {
      engines_[a.to]->receive(a.grant, instant(now));
    }
    allocations_ += allocations() - before;
  }
}

bool EngineGate::idle() const {
  if (!mail_.empty()) return false;
  for (const auto& engine : engines_)
    if (!engine->idle()) return false;
  return true;
}

}  // namespace sallyport::storm
