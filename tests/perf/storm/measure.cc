#include "tests/perf/storm/measure.h"

#include <algorithm>
#include <cmath>

namespace sallyport::storm {

namespace {
constexpr double kSlotsPerS = 1000.0 * kSlotsPerMs;

double weight_of(const Scenario& scenario, std::size_t segment) {
  return segment < scenario.weights.size() ? scenario.weights[segment] : 1;
}

// The work of one client in a hundred, at most.
double forgiven(std::size_t clients) { return 0.01 * static_cast<double>(clients); }
}  // namespace

Measure::Measure(const Scenario& scenario)
    : capacity_(scenario.capacity), clients_(scenario.clients) {
  arrivals_.reserve(scenario.clients);
  connected_at_.reserve(scenario.clients);
}

void Measure::boot(Slot when, unsigned segment, bool resumed) {
  arrivals_.push_back({when, resumed ? 0.25F : 1.0F, static_cast<std::uint8_t>(segment)});
}

double Measure::work_done(double slot) const {
  const double from = begin_;
  if (capacity_change_ == 0) return (slot - from) / kSlotsPerS * capacity_;
  const double change = std::max<double>(capacity_change_, from);
  return (std::min(slot, change) - from) / kSlotsPerS * capacity_ +
         std::max(0.0, slot - change) / kSlotsPerS * later_capacity_;
}

double Measure::when_done(double work) const {
  const double at = begin_ + work / capacity_ * kSlotsPerS;
  if (capacity_change_ == 0 || at <= capacity_change_) return at;
  return capacity_change_ + (work - work_done(capacity_change_)) / later_capacity_ * kSlotsPerS;
}

// T* = sup over t of the time at which what arrives from t on can be done when it starts at t.
double Measure::optimum_of(const std::vector<Arrival>& arrivals, int segment,
                           double forgiven) const {
  std::vector<Arrival> sorted;
  for (const Arrival& a : arrivals)
    if (segment < 0 || a.segment == segment) sorted.push_back(a);
  std::ranges::sort(sorted, {}, &Arrival::when);
  double left = -forgiven;
  double latest = begin_;
  for (auto it = sorted.rbegin(); it != sorted.rend(); ++it) {
    left += static_cast<double>(it->cost);
    if (left > 0)
      latest = std::max(latest, when_done(work_done(std::max<double>(it->when, begin_)) + left));
  }
  return latest - begin_;
}

void Measure::set_optimum(Slot patience, Slot flight,
                          const std::function<Slot(std::uint32_t, std::uint32_t)>& pause) {
  flight_ = flight;
  optimum_ = optimum_of(arrivals_, -1);
  // A relaxation: a bin of 10 ms can be filled by whoever is there in it, served before or not.
  const auto bins = static_cast<std::size_t>(optimum_ * 3) / ms(10) + 2;
  std::vector<std::int32_t> there(bins + 1);
  double work = 0;
  for (std::uint32_t c = 0; c < arrivals_.size(); ++c) {
    work += static_cast<double>(arrivals_[c].cost);
    Slot from = arrivals_[c].when;
    for (std::uint32_t attempt = 1; from / ms(10) < bins; ++attempt) {
      ++there[from / ms(10)];
      const Slot until = from + patience;
      const Slot last =
          std::max(from, until - std::min(until, flight));  // to start and still finish
      --there[std::min<std::size_t>(last / ms(10) + 1, bins)];
      from = until + pause(c, attempt);
    }
  }
  double done = 0;
  std::int64_t present = 0;
  bound_ = optimum_;
  bound99_ = 0;
  const double most = work - forgiven(arrivals_.size());
  for (std::size_t bin = 0; bin < bins; ++bin) {
    present += there[bin];
    done += std::min(static_cast<double>(present), capacity_ * 0.010);
    const auto end = static_cast<double>((bin + 1) * ms(10));
    if (done >= most && bound99_ == 0) bound99_ = end - ms(10) + flight;
    if (done >= work) {
      bound_ = std::max(bound_, end) + flight;
      return;
    }
  }
  bound_ = std::max(bound_, static_cast<double>(bins * ms(10)));
  if (bound99_ == 0) bound99_ = bound_;
}

Measure::Second& Measure::second(Slot now) {
  const std::size_t index = now / seconds(1);
  while (seconds_.size() <= index) {
    seconds_.emplace_back();
    seconds_.back().least_waiting.fill(INT32_MAX);
  }
  return seconds_[index];
}

void Measure::start(Slot now, unsigned segment, bool resumed) {
  const float cost = resumed ? 0.25F : 1.0F;
  if (starts_.size() <= now) starts_.resize(std::max<std::size_t>(now + 1, starts_.size() * 2));
  starts_[now] += cost;
  second(now).starts[segment] += cost;
  if (started_++ == 0) first_start_ = now;
  if (segment == 0) high_starts_.push_back(now);
}

void Measure::connected(Slot now) {
  connected_at_.push_back(now);
  ++connected_now_;
}

void Measure::sample(Slot now) {
  Second& s = second(now);
  for (std::size_t i = 0; i < kMaxSegments; ++i)
    s.least_waiting[i] = std::min(s.least_waiting[i], waiting_[i]);
  if (now % ms(200) == 0)
    series_.push_back(static_cast<float>(connected_now_ - reconnects_) /
                      static_cast<float>(clients_));
}

void Measure::capacity_changes(Slot now, double capacity) {
  capacity_change_ = now;
  later_capacity_ = capacity;
  failed_at_change_ = failed_;
}

void Measure::restart(Slot now) {
  begin_ = now;
  restarted_ = true;
  arrivals_.clear();
  connected_at_.clear();
  high_starts_.clear();
  probes_ = server_syns_ - syns_at_outage_;
  started_ = syns_ = server_syns_ = 0;
  failed_at_change_ = failed_;
}

void Measure::arrived(Slot now, bool resumed, unsigned segment) {
  if (restarted_)
    arrivals_.push_back({now, resumed ? 0.25F : 1.0F, static_cast<std::uint8_t>(segment)});
}

void Measure::judge_peaks(const Scenario& scenario, Result& out) const {
  const auto peak = [&](Slot window) {
    double sum = 0, most = 0;
    for (std::size_t i = begin_; i < starts_.size(); ++i) {
      sum += static_cast<double>(starts_[i]);
      if (i >= begin_ + window) sum -= static_cast<double>(starts_[i - window]);
      most = std::max(most, sum);
    }
    return most / (scenario.capacity * to_seconds(window));
  };
  out.peak_100ms = peak(ms(100));
  out.peak_1s = peak(seconds(1));
  if (capacity_change_ != 0) judge_following(out);
}

// Followed: when starts have fitted the new capacity for a second. One handshake of grace, because
// handshakes come whole. What exceeds it later is reported by itself.
void Measure::judge_following(Result& out) const {
  const double limit = 1.1 * later_capacity_ * 0.1 + 1;
  const Slot window = ms(100);
  double sum = 0;
  Slot last = capacity_change_;
  bool followed = false;
  for (std::size_t i = capacity_change_; i < starts_.size(); ++i) {
    sum += static_cast<double>(starts_[i]);
    if (i >= capacity_change_ + window) sum -= static_cast<double>(starts_[i - window]);
    if (followed) out.later_peak = std::max(out.later_peak, sum / (later_capacity_ * 0.1));
    if (!followed && sum > limit) last = static_cast<Slot>(i);
    if (!followed && i - last > seconds(1)) {
      followed = true;
      out.follow_s = to_seconds(last - capacity_change_);
    }
  }
  if (!followed) out.follow_s = to_seconds(static_cast<Slot>(starts_.size()) - capacity_change_);
}

// Whether a segment could have used its share all second long: it never had less waiting than half
// a second of it.
bool Measure::backlogged(const Scenario& scenario, const Second& second,
                         std::size_t segment) const {
  double weights = 0;
  for (std::size_t i = 0; i < scenario.segments; ++i) weights += weight_of(scenario, i);
  const double share = scenario.capacity * weight_of(scenario, segment) / weights;
  return second.least_waiting[segment] >= std::max(4.0, share * 0.5);
}

void Measure::judge_fairness(const Scenario& scenario, Result& out) const {
  const std::size_t n = scenario.segments;
  double jain_sum = 0, first = 0, all = 0, weights = 0;
  for (std::size_t i = 0; i < n; ++i) weights += weight_of(scenario, i);
  std::size_t windows = 0;
  for (std::size_t s = begin_ / seconds(1) + 1; s + 1 < seconds_.size(); ++s) {
    const Second& second = seconds_[s];
    // While a higher class waits the others get what leaks down, too little to be divided.
    if (scenario.high_class && second.least_waiting[0] > 0) continue;
    double sum = 0, squares = 0;
    std::size_t competing = 0;
    for (std::size_t i = scenario.high_class ? 1 : 0; i < n; ++i) {
      if (!backlogged(scenario, second, i)) continue;
      const double x = static_cast<double>(second.starts[i]) / weight_of(scenario, i);
      sum += x;
      squares += x * x;
      ++competing;
    }
    if (competing < 2 || squares == 0) continue;
    const double jain = sum * sum / (static_cast<double>(competing) * squares);
    out.jain_min = std::min(out.jain_min, jain);
    jain_sum += jain;
    ++windows;
    if (competing == n) {
      first += static_cast<double>(second.starts[0]);
      for (std::size_t i = 0; i < n; ++i) all += static_cast<double>(second.starts[i]);
    }
  }
  out.jain_mean = windows > 0 ? jain_sum / static_cast<double>(windows) : 1;
  if (all > 0) out.gain = first / all * weights / weight_of(scenario, 0) - 1;
}

Result Measure::result(const Scenario& scenario) const {
  Result out;
  const std::size_t wanted = arrivals_.size();
  const double optimum = optimum_of(arrivals_, -1);
  out.optimum_s = optimum / kSlotsPerS;
  const double all_but = optimum_of(arrivals_, -1, forgiven(arrivals_.size()));
  const bool anew = restarted_ || capacity_change_ != 0;
  out.bound_s = (anew ? optimum + flight_ : bound_) / kSlotsPerS;
  out.bound99_s = (anew ? all_but + flight_ : bound99_) / kSlotsPerS;
  std::vector<Slot> at = connected_at_;
  std::ranges::sort(at);
  const auto time_of = [&](double share) {
    const auto nth = static_cast<std::size_t>(std::ceil(share * static_cast<double>(wanted)));
    return nth == 0 || nth > at.size() ? -1.0 : to_seconds(at[nth - 1] - begin_);
  };
  out.found_s = started_ > 0 ? to_seconds(first_start_ - begin_) : -1;
  out.probes = probes_;
  out.t50_s = time_of(0.5);
  out.t99_s = time_of(0.99);
  out.all_s = time_of(1);
  const auto in_time = static_cast<std::size_t>(
      std::ranges::upper_bound(at, static_cast<Slot>(begin_ + 2 * optimum)) - at.begin());
  const double n = std::max<double>(1, static_cast<double>(wanted));
  out.stragglers = static_cast<double>(wanted - std::min(wanted, in_time)) / n;
  out.waste = (static_cast<double>(started_) - static_cast<double>(at.size())) / n;
  out.syns = static_cast<double>(syns_) / n;
  out.server_syns = static_cast<double>(server_syns_) / n;
  out.lost = failed_ - failed_at_change_;
  judge_peaks(scenario, out);
  judge_fairness(scenario, out);
  if (scenario.high_class && !high_starts_.empty()) {
    std::vector<Slot> high = high_starts_;
    std::ranges::sort(high);
    std::size_t members = 0;
    for (const Arrival& a : arrivals_) members += a.segment == 0 ? 1 : 0;
    const auto nth = static_cast<std::size_t>(std::ceil(0.99 * static_cast<double>(members)));
    if (nth > 0 && nth <= high.size())
      out.high_stretch = static_cast<double>(high[nth - 1] - begin_) / optimum_of(arrivals_, 0);
  }
  out.series = series_;
  return out;
}

}  // namespace sallyport::storm
