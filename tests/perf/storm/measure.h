// What a storm is judged by: the metric of standards.md B.2, from what the clients and the server
// saw. Knows nothing of gates.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "tests/perf/storm/scenario.h"

namespace sallyport::storm {

class Measure {
 public:
  static constexpr std::size_t kMaxSegments = 64;

  explicit Measure(const Scenario& scenario);

  void boot(Slot when, unsigned segment, bool resumed);
  // After the last boot. `pause` as the clients will make it; gives optimum and bound.
  // `flight`: the least that a handshake takes.
  void set_optimum(Slot patience, Slot flight,
                   const std::function<Slot(std::uint32_t, std::uint32_t)>& pause);
  // In slots, for the capacity as it is at the beginning.
  double optimum() const { return optimum_; }
  Slot begin() const { return begin_; }

  void syn() { ++syns_; }
  void server_syn() { ++server_syns_; }
  // A client of `segment` waits for an answer (1), or does no more (-1).
  void wants(unsigned segment, int change) { waiting_[segment] += change; }
  void start(Slot now, unsigned segment, bool resumed);
  void connected(Slot now);
  void disconnected() { ++reconnects_; }
  void failed() { ++failed_; }
  void sample(Slot now);  // every 100 ms
  void capacity_changes(Slot now, double capacity);
  void outage() { syns_at_outage_ = server_syns_; }
  // Measures from here on; arrivals are told again as they happen.
  void restart(Slot now);
  void arrived(Slot now, bool resumed, unsigned segment);

  Result result(const Scenario& scenario) const;

 private:
  struct Arrival {
    Slot when;
    float cost;
    std::uint8_t segment;
  };
  struct Second {
    std::array<float, kMaxSegments> starts{};
    std::array<std::int32_t, kMaxSegments> least_waiting;
  };
  // `forgiven`: work that need not be done.
  double optimum_of(const std::vector<Arrival>& arrivals, int segment, double forgiven = 0) const;
  double work_done(double slot) const;  // by the server from begin_ to slot
  double when_done(double work) const;  // its inverse
  bool backlogged(const Scenario& scenario, const Second& second, std::size_t segment) const;
  void judge_fairness(const Scenario& scenario, Result& out) const;
  void judge_peaks(const Scenario& scenario, Result& out) const;
  void judge_following(Result& out) const;
  Second& second(Slot now);

  double capacity_;
  double later_capacity_ = 0;
  Slot capacity_change_ = 0;
  std::uint32_t clients_;
  Slot begin_ = 0;
  double optimum_ = 0, bound_ = 0, bound99_ = 0;
  Slot flight_ = 0;
  bool restarted_ = false;
  std::vector<Arrival> arrivals_;
  std::vector<float> starts_;  // cost of handshakes started, per slot
  std::vector<Second> seconds_;
  std::array<std::int32_t, kMaxSegments> waiting_{};
  std::vector<Slot> connected_at_;
  Slot first_start_ = 0;           // since begin_; 0: none yet
  std::vector<Slot> high_starts_;  // of segment 0
  std::vector<float> series_;
  std::uint64_t syns_ = 0, server_syns_ = 0, started_ = 0, failed_ = 0, reconnects_ = 0;
  std::uint64_t connected_now_ = 0;
  std::uint64_t failed_at_change_ = 0;
  std::uint64_t syns_at_outage_ = 0, probes_ = 0;
};

}  // namespace sallyport::storm
