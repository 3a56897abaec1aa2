#include "tests/perf/storm/pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tests/perf/report/chart.h"
#include "tests/perf/storm/order_model.h"

namespace sallyport::storm {

namespace {

constexpr double kSampleS = 0.2;

std::vector<std::pair<double, double>> points(const std::vector<float>& series) {
  std::vector<std::pair<double, double>> out;
  for (std::size_t i = 0; i < series.size(); ++i)
    out.emplace_back(static_cast<double>(i) * kSampleS, static_cast<double>(series[i]));
  return out;
}

const Outcome* find(const std::vector<Outcome>& outcomes, const std::string& name) {
  const auto it =
      std::ranges::find_if(outcomes, [&](const Outcome& o) { return o.played.name == name; });
  return it == outcomes.end() ? nullptr : &*it;
}

// Connected clients over time, everyone on one page.
Picture admitted(const Outcome& o, const std::string& file, double x_max) {
  const Result& ours = o.ours.front();
  bench::Chart chart;
  chart.title = fmt::format("{}: {} clients, {:g} handshakes/s", o.played.name,
                            o.played.scenario.clients, o.played.scenario.capacity);
  chart.x_label = "seconds";
  chart.y_label = "share connected";
  chart.x_max = x_max;
  chart.lines.push_back({"the optimum", {{0, 0}, {ours.optimum_s, 1}, {x_max, 1}}, true, false});
  chart.lines.push_back({"Sallyport", points(ours.series), false, true});
  for (const auto& [policy, result] : o.baselines)
    chart.lines.push_back({name(policy), points(result.series), false, false});
  return {file, chart.title, chart.svg()};
}

// The server falls to a quarter and stays there.
Picture quarter(const Outcome& o, const std::string& file) {
  const Result& ours = o.ours.front();
  const double change =
      o.played.scenario.mishap_at * o.played.scenario.clients / o.played.scenario.capacity;
  bench::Chart chart;
  chart.title = fmt::format("{}: capacity to a quarter at {:g} s", o.played.name, change);
  chart.x_label = "seconds";
  chart.y_label = "share connected";
  chart.x_max = std::ceil(ours.optimum_s * 1.2 / 10) * 10;
  chart.lines.push_back({"the optimum",
                         {{0, 0}, {change, o.played.scenario.mishap_at}, {ours.optimum_s, 1}},
                         true,
                         false});
  chart.lines.push_back({"Sallyport", points(ours.series), false, true});
  return {file, chart.title, chart.svg()};
}

Picture order() {
  constexpr std::uint32_t kClients = 20'000;
  constexpr double kCapacity = 400, kBoot = 2;
  bench::Chart chart;
  chart.title =
      "Who is called first: clients that wait 10 s, pause 5 s, and all dialled within 2 s";
  chart.x_label = "seconds";
  chart.y_label = "share served";
  chart.x_max = 80;
  for (const Order o :
       {Order::kFirstCome, Order::kEarliestDeadline, Order::kChance, Order::kRefusing}) {
    const OrderRun run = run_order(o, kClients, kCapacity, kBoot);
    chart.lines.push_back(
        {fmt::format("{}: R {:.2f}", name(o), run.stretch), run.done, false, true});
  }
  chart.lines.push_back({"the optimum", {{0, 0}, {kClients / kCapacity, 1}}, true, false});
  return {"storm-order.svg", chart.title, chart.svg()};
}

}  // namespace

std::vector<Picture> pictures(const std::vector<Outcome>& outcomes) {
  std::vector<Picture> out;
  if (const Outcome* o = find(outcomes, "10k-boot2s-linux-old-patient"))
    out.push_back(admitted(*o, "storm-10k.svg", 100));
  if (const Outcome* o = find(outcomes, "10k-boot2s-linux-old-timeout10s"))
    out.push_back(admitted(*o, "storm-10k-timeout.svg", 60));
  if (const Outcome* o = find(outcomes, "10k-quarter"))
    out.push_back(quarter(*o, "storm-quarter.svg"));
  out.push_back(order());
  return out;
}

}  // namespace sallyport::storm
