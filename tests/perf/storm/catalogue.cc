#include "tests/perf/storm/catalogue.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "tests/perf/storm/storm.h"

namespace sallyport::storm {

namespace {

constexpr double kNeverBack = std::numeric_limits<double>::infinity();

struct Fleet {
  const char* name;
  std::uint32_t clients;
  double capacity;
  unsigned seeds;
};
constexpr std::array kFleets{Fleet{"1k", 1'000, 500, 3}, Fleet{"10k", 10'000, 500, 3},
                             Fleet{"100k", 100'000, 2'000, 3}, Fleet{"1m", 1'000'000, 10'000, 1}};
constexpr std::uint32_t kQuickClients = 10'000;
constexpr std::array kAllBaselines{Policy::kNone,     Policy::kTokenBucket, Policy::kReset,
                                   Policy::kNftLimit, Policy::kSynCookies,  Policy::kHaproxy};

// From a turn to its ClientHello at the server, at least.
const double kHelloArrivesS = to_seconds(3 * kWan);

double or_never(double x) { return x < 0 ? kNeverBack : x; }

Check stretch(double target) {
  return {"m1-r",
          "of optimum",
          target,
          true,
          [](const Result& r) { return or_never(r.stretch()); },
          &Result::floor};
}
Check stretch99(double target) {
  return {"m1-r99",
          "of optimum",
          target,
          true,
          [](const Result& r) { return or_never(r.stretch99()); },
          &Result::floor99};
}
Check peak() {
  return {"m2-peak", "of capacity", 1.10, true, [](const Result& r) { return r.peak_100ms; }, {}};
}
Check jain() {
  return {"m3-jain", "least, 1 s", 0.95, false, [](const Result& r) { return r.jain_min; }, {}};
}
Check waste() {
  return {"m4-waste", "per client", 0.01, true, [](const Result& r) { return r.waste; }, {}};
}
Check allocations() {
  return {"m8-allocations",
          "count",
          0,
          true,
          [](const Result& r) { return static_cast<double>(r.allocations); },
          {}};
}
Check stragglers() {
  return {"m11-stragglers", "share", 0, true, [](const Result& r) { return r.stragglers; }, {}};
}

std::vector<Check> usual(double m1, double m1_99) {
  return {stretch(m1), stretch99(m1_99), peak(), jain(), waste(), allocations(), stragglers()};
}

const char* slug(Stack stack) {
  switch (stack) {
    case Stack::kLinuxOld:
      return "linux-old";
    case Stack::kLinuxNew:
      return "linux-new";
    case Stack::kLwip:
      return "lwip";
    case Stack::kDtls:
      return "coap-dtls";
  }
  return "?";
}

Scenario of(const Fleet& fleet) {
  Scenario s;
  s.clients = fleet.clients;
  s.capacity = fleet.capacity;
  return s;
}

// A pause matters only to who gives up before the storm can be over.
bool gives_up(const Scenario& s) {
  const double patience = s.app_timeout_s > 0
                              ? std::min(s.app_timeout_s, to_seconds(stack_gives_up(s.stack)))
                              : to_seconds(stack_gives_up(s.stack));
  return patience < s.clients / s.capacity + 1;
}

void add_sweep(std::vector<Case>& out, const Fleet& fleet) {
  for (const double spread : {0.0, 2.0, 30.0}) {
    for (const Stack stack : {Stack::kLinuxOld, Stack::kLinuxNew, Stack::kLwip, Stack::kDtls}) {
      for (const double timeout : {0.0, 10.0, 30.0}) {
        for (const bool jittered : {false, true}) {
          Case c;
          c.scenario = of(fleet);
          c.scenario.spread_s = spread;
          c.scenario.stack = stack;
          c.scenario.app_timeout_s = timeout;
          c.scenario.pause.jittered = jittered;
          if (jittered && !gives_up(c.scenario)) continue;
          c.name = fmt::format("{}-boot{:g}s-{}-{}{}", fleet.name, spread, slug(stack),
                               timeout > 0 ? fmt::format("timeout{:g}s", timeout) : "patient",
                               jittered ? "-jitter" : "");
          c.checks = timeout == 10 ? usual(1.15, 1.15) : usual(1.10, 1.05);
          c.seeds = fleet.seeds;
          // The rows that standards.md B.3 has figures for.
          const bool reference = spread == 2 && stack != Stack::kDtls && timeout != 30;
          const bool small = fleet.clients <= kQuickClients;
          if (reference && (small || (stack == Stack::kLinuxOld && timeout == 0 && !jittered)))
            c.baselines.assign(kAllBaselines.begin(), kAllBaselines.end());
          if (fleet.clients > 100'000) c.scenario.horizon = 5;
          out.push_back(c);
        }
      }
    }
  }
}

Case special(Group group, const Fleet& fleet, const std::string& what) {
  Case c;
  c.group = group;
  c.name = fmt::format("{}-{}", fleet.name, what);
  c.scenario = of(fleet);
  c.checks = usual(1.10, 1.05);
  c.seeds = fleet.seeds;
  return c;
}

void add_costs(std::vector<Case>& out, const Fleet& fleet) {
  Case c = special(Group::kCosts, fleet, "resumed");
  c.scenario.resumed = 1;
  out.push_back(c);
  c = special(Group::kCosts, fleet, "mixed");
  c.scenario.resumed = 0.5;
  c.note = "which client resumes is not known before its ClientHello";
  out.push_back(c);
  c = special(Group::kCosts, fleet, "mixed-known");
  c.scenario.resumed = 0.5;
  c.scenario.known = true;
  c.note = "the gateway saw these clients on an ordinary day";
  out.push_back(c);
}

void add_fairness(std::vector<Case>& out, const Fleet& fleet) {
  Case c = special(Group::kFairness, fleet, "priority");
  c.scenario.high_class = true;
  c.checks.push_back({"m10-highest",
                      "of its optimum",
                      1.1,
                      true,
                      [](const Result& r) { return r.high_stretch; },
                      {}});
  out.push_back(c);
  c = special(Group::kFairness, fleet, "aggressive");
  c.scenario.aggressive = true;
  c.checks.push_back(
      {"m3-gain", "of its share", 0.05, true, [](const Result& r) { return r.gain; }, {}});
  c.note = "segment 0 sends a SYN every 100 ms";
  out.push_back(c);
  c = special(Group::kFairness, fleet, "weights");
  c.scenario.weights = {1, 2, 3, 4, 1, 2, 3, 4};
  out.push_back(c);
  c = special(Group::kFairness, fleet, "workers4");
  c.scenario.workers = 4;
  out.push_back(c);
}

void add_capacity(std::vector<Case>& out, const Fleet& fleet) {
  const Check follow{"m9-follow", "s", 1, true, [](const Result& r) { return r.follow_s; }, {}};
  const double quarter = fleet.capacity / 4;
  const Check lost{"m9-lost",
                   "handshakes",
                   quarter,
                   true,
                   [](const Result& r) { return static_cast<double>(r.lost); },
                   {}};
  for (const auto& [mishap, what] : {std::pair{Mishap::kSlowdown, "quarter"},
                                     std::pair{Mishap::kSlowMachine, "quarter-slow-machine"}}) {
    Case c = special(Group::kCapacity, fleet, what);
    c.scenario.mishap = mishap;
    c.checks = {follow, lost, peak(), jain(), waste(), allocations(), stragglers()};
    out.push_back(c);
  }
  for (const double ceiling : {0.0, 4.0}) {
    Case c = special(Group::kCapacity, fleet, ceiling == 0 ? "no-ceiling" : "ceiling-times-4");
    c.scenario.ceiling = ceiling;
    c.note = ceiling == 0 ? "no maximum configured: capacity is learned alone"
                          : "the configured maximum is four times too high";
    out.push_back(c);
    c.name += "-quarter";
    c.scenario.mishap = Mishap::kSlowdown;
    c.checks = {follow, lost, jain(), waste(), allocations(), stragglers()};
    out.push_back(c);
  }
}

// One probe a second finds that the server is back; the storm is measured from there.
void found_by_a_probe(Case& c) {
  c.checks[0].value = [](const Result& r) {
    return r.all_s < 0 ? kNeverBack : (r.all_s - r.found_s) / r.optimum_s;
  };
  c.checks[1].value = [](const Result& r) {
    return r.t99_s < 0 ? kNeverBack : (r.t99_s - r.found_s) / r.optimum_s;
  };
  // It is found when the first ClientHello reaches it.
  c.checks[0].floor = [](const Result& r) { return (r.bound_s - kHelloArrivesS) / r.optimum_s; };
  c.checks[1].floor = [](const Result& r) { return (r.bound99_s - kHelloArrivesS) / r.optimum_s; };
  c.checks.push_back({"m9-found", "s", 1.1, true, [](const Result& r) { return r.found_s; }, {}});
  // It is noticed within a second, what is started until then included, and probed once a second.
  const double probes = c.scenario.capacity + to_seconds(kSilence);
  c.checks.push_back({"m9-probes",
                      "SYNs",
                      probes,
                      true,
                      [](const Result& r) { return static_cast<double>(r.probes); },
                      {}});
  c.note = "R from the probe that found the server";
}

void add_returns(std::vector<Case>& out, const Fleet& fleet) {
  for (const auto& [mishap, what] : {std::pair{Mishap::kServerSilent, "server-silent"},
                                     std::pair{Mishap::kServerRefuses, "server-refuses"},
                                     std::pair{Mishap::kServerHangs, "server-hangs"},
                                     std::pair{Mishap::kGatewayReboot, "gateway-power-cycled"}}) {
    for (const unsigned workers : {1U, 4U}) {
      Case c = special(Group::kReturn, fleet, what);
      if (workers > 1) c.name += "-workers4";
      c.scenario.mishap = mishap;
      c.scenario.workers = workers;
      if (mishap != Mishap::kGatewayReboot) found_by_a_probe(c);
      out.push_back(c);
    }
  }
}

void add_attack(std::vector<Case>& out, const Fleet& fleet) {
  Case c = special(Group::kAttack, fleet, "no-shows");
  c.scenario.stall_share = 0.1;
  c.note = "one client in ten acknowledges and never sends a ClientHello";
  out.push_back(c);
  for (const double share : {0.5, 0.9}) {
    for (const double ceiling : {1.0, 0.0}) {
      c = special(Group::kAttack, fleet, share == 0.5 ? "no-shows-half" : "no-shows-9in10");
      if (ceiling == 0) c.name += "-no-ceiling";
      c.scenario.stall_share = share;
      c.scenario.ceiling = ceiling;
      // Places they hold, turns they get: who comes may wait as long as if all did.
      c.checks = {stretch(1.10 / (1 - share)), stretch99(1.05 / (1 - share)), peak(), waste(),
                  allocations()};
      // Of nine in ten that stay away, six a second come from a segment: chance, not fairness.
      if (share == 0.5) c.checks.push_back(jain());
      c.note = share == 0.5 ? "every second client acknowledges and never sends a ClientHello"
                            : "nine clients in ten acknowledge and never send a ClientHello";
      if (ceiling == 0) c.note += "; no maximum configured";
      out.push_back(c);
    }
  }
}

}  // namespace

const char* name(Group group) {
  switch (group) {
    case Group::kSweep:
      return "sweep";
    case Group::kCosts:
      return "costs";
    case Group::kFairness:
      return "fairness";
    case Group::kCapacity:
      return "capacity";
    case Group::kReturn:
      return "return";
    case Group::kAttack:
      return "attack";
  }
  return "?";
}

std::vector<Case> catalogue(bool quick) {
  std::vector<Case> out;
  for (const Fleet& fleet : kFleets) {
    if (quick && fleet.clients > kQuickClients) continue;
    add_sweep(out, fleet);
    add_costs(out, fleet);
    add_fairness(out, fleet);
    add_capacity(out, fleet);
    add_returns(out, fleet);
    add_attack(out, fleet);
  }
  std::ranges::stable_sort(out, {}, &Case::group);
  if (quick)
    for (Case& c : out) c.seeds = 1;
  return out;
}

}  // namespace sallyport::storm
