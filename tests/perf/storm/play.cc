#include "tests/perf/storm/play.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::storm {

Outcome play(const Case& c) {
  Outcome out;
  out.played = c;
  Scenario scenario = c.scenario;
  for (unsigned seed = 1; seed <= c.seeds; ++seed) {
    scenario.seed = seed;
    out.ours.push_back(run(scenario));
  }
  scenario.seed = 1;
  for (const Policy policy : c.baselines) {
    scenario.policy = policy;
    out.baselines.emplace(policy, run(scenario));
  }
  return out;
}

const Result& Outcome::typical() const {
  std::vector<const Result*> sorted;
  for (const Result& r : ours) sorted.push_back(&r);
  std::ranges::sort(sorted, {}, [](const Result* r) { return r->stretch(); });
  return *sorted[sorted.size() / 2];
}

double Outcome::floor(const Check& check) const {
  double most = 0;
  if (!check.floor) return most;
  for (const Result& r : ours) most = std::max(most, check.floor(r));
  return most;
}

double Outcome::floor() const {
  double most = 0;
  for (const Result& r : ours) most = std::max(most, r.floor());
  return most;
}

std::vector<bench::Figure> Outcome::figures() const {
  std::vector<bench::Figure> out;
  for (const Check& check : played.checks) {
    std::vector<double> values;
    for (const Result& r : ours) values.push_back(check.value(r));
    bench::Figure figure = bench::Figure::of(played.name + "-" + check.metric, check.unit, values,
                                             check.target, check.at_most);
    for (const auto& [policy, result] : baselines) {
      const double value = check.value(result);
      figure.peers.push_back({name(policy), value, value != 0 ? figure.median / value : 0});
    }
    figure.note = played.note;
    if (check.floor) {
      figure.note += fmt::format("{}no gateway that only defers can be below {:.3f}",
                                 figure.note.empty() ? "" : "; ", floor(check));
    }
    out.push_back(figure);
  }
  return out;
}

}  // namespace sallyport::storm
