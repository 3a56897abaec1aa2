#include "tests/perf/storm/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "tests/perf/storm/pictures.h"

namespace sallyport::storm {

namespace {

std::string times(double x) {
  if (x < 0 || std::isinf(x)) return "never";
  return fmt::format("{:.3f}", x);
}

std::string heading(const bench::Occasion& occasion) {
  return fmt::format(
      "# Reconnect storms on paper\n\n"
      "Written by the bench itself; do not edit. Virtual time, the real engine, modelled clients "
      "and servers (tests/perf/storm):\n"
      "the figures depend on the seeds, not on the machine.\n\n"
      "* command: `{}`\n* machine: {}\n* date: {}\n* commit: {}\n\n"
      "*R* (M1) is the time until all are connected over the optimum T\\* (no policy whatsoever "
      "can "
      "be earlier), *R99* that of 99 in 100.\n"
      "*Floor* is what no gateway that only makes clients wait can go below, because clients that "
      "have given up are not there to be called, and a\n"
      "handshake itself takes time; it is computed with knowledge of every client's pauses to come "
      "(R99 has its own). *Peak* (M2): the most\n"
      "handshake work started in 100 ms over capacity. *Jain* (M3): the least fairness between "
      "segments in any second in which at least two of\n"
      "them had half a second's work waiting. *Waste* (M4): handshakes started beyond one per "
      "client. *SYN*: packets per client at the gateway /\n"
      "at the server. Not back at 2 T\\*: M11. M8, M9 and M10 are in the second line of the storms "
      "that they apply to. Everything is judged by\n"
      "its worst seed and shown for the seed with the median R.\n\n",
      occasion.command, occasion.machine, occasion.date, occasion.commit);
}

struct Tally {
  std::string unit;
  double target = 0, worst = 0, worst_over_floor = 0;
  bool at_most = true;
  std::string where;
  std::size_t met = 0, missed = 0, unreachable = 0;
};

std::string scoreboard(const std::vector<Outcome>& outcomes) {
  std::map<std::string, Tally> tallies;
  for (const Outcome& o : outcomes) {
    const auto figures = o.figures();
    for (std::size_t i = 0; i < figures.size(); ++i) {
      const Check& check = o.played.checks[i];
      const bench::Figure& f = figures[i];
      Tally& t =
          tallies[fmt::format("{} {} {:g}", check.metric, check.at_most ? "≤" : "≥", check.target)];
      t.at_most = check.at_most;
      if (!f.met && o.out_of_reach(check)) {
        ++t.unreachable;
        t.worst_over_floor = std::max(t.worst_over_floor, f.max / o.floor(check));
        continue;
      }
      ++(f.met ? t.met : t.missed);
      const double value = check.at_most ? f.max : f.min;
      const bool worse = t.where.empty() || (check.at_most ? value > t.worst : value < t.worst);
      if (worse) {
        t.worst = value;
        t.where = o.played.name;
      }
    }
  }
  std::string out =
      "## Every target\n\nEach row is one target over all storms that it applies to, the worst "
      "seed counting. *Out of reach*: storms that miss it and whose\n"
      "floor lies above the target; beside it, how far from their floors these are at worst.\n\n"
      "| target | verdict | storms that meet it | that miss it | worst | in | that miss it, out of "
      "reach | worst over floor |\n|---|---|---|---|---|---|---|---|\n";
  for (const auto& [target, t] : tallies)
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {} |\n", target,
                       t.missed + t.unreachable == 0 ? "met" : "missed", t.met, t.missed,
                       times(t.worst), t.where, t.unreachable,
                       t.unreachable > 0 ? times(t.worst_over_floor) : "");
  return out + "\n";
}

std::string policy_row(const char* who, const Result& r) {
  return fmt::format("| {} | {} | {} | {} | {:.2f} | {:.3f} | {:.2f} | {:.2f} | {:.1f} % |\n", who,
                     times(r.stretch()), times(r.stretch99()), times(r.stretch50()), r.peak_100ms,
                     r.jain_min, r.waste, r.syns, r.stragglers * 100);
}

std::string baselines(const std::vector<Outcome>& outcomes) {
  std::string out = "## Against what there is\n\n";
  for (const Outcome& o : outcomes) {
    if (o.baselines.empty() || o.played.name.ends_with("jitter")) continue;
    const Result& ours = o.typical();
    out += fmt::format(
        "**{}**: {} clients, {:g} handshakes/s, T\\* = {:.1f} s\n\n"
        "| policy | R | R99 | R50 | peak | Jain | waste | SYN | not back at 2 T\\* "
        "|\n|---|---|---|---|---|---|---|---|---|\n",
        o.played.name, o.played.scenario.clients, o.played.scenario.capacity, ours.optimum_s);
    for (const auto& [policy, result] : o.baselines) out += policy_row(name(policy), result);
    out += policy_row("**Sallyport**", ours);
    out += fmt::format(
        "| the optimum | 1.000 | 0.990 | 0.500 | 1.00 | 1.000 | 0.00 | 1.00 | 0.0 % |\n"
        "| the floor for deferring | {} | | | | | | | |\n\n",
        times(o.floor()));
  }
  return out;
}

std::string row(const Outcome& o) {
  const Result& r = o.typical();
  std::string misses;
  const auto figures = o.figures();
  for (std::size_t i = 0; i < figures.size(); ++i) {
    if (figures[i].met) continue;
    const Check& check = o.played.checks[i];
    misses += fmt::format("{}{}{}", misses.empty() ? "" : ", ", check.metric,
                          o.out_of_reach(check) ? " (out of reach)" : "");
  }
  return fmt::format(
      "| {} | {:.1f} | {} | {} | {} | {:.3f} | {:.3f} | {:.4f} | {:.2f} / {:.3f} | {:g} | {} |\n",
      o.played.name, r.optimum_s, times(o.floor()), times(r.stretch()), times(r.stretch99()),
      r.peak_100ms, r.jain_min, r.waste, r.syns, r.server_syns, r.stragglers,
      misses.empty() ? "none" : misses);
}

std::string others(const Outcome& o) {
  std::string out;
  for (const bench::Figure& f : o.figures()) {
    const auto dash = f.name.find("-m9");
    const auto ten = f.name.find("-m10");
    const auto gain = f.name.find("-m3-gain");
    const auto at = std::min({dash, ten, gain});
    if (at == std::string::npos) continue;
    out += fmt::format("{}{} {} {} ({} {:g}: {})", out.empty() ? "" : ", ", f.name.substr(at + 1),
                       times(std::max(f.max, 0.0)), f.unit, f.at_most ? "≤" : "≥", f.target,
                       f.met ? "met" : "missed");
  }
  const Result& r = o.typical();
  if (r.later_peak > 0)
    out += fmt::format("{}later peak {:.2f} of the new capacity", out.empty() ? "" : ", ",
                       r.later_peak);
  if (!o.played.note.empty()) out += fmt::format("{}{}", out.empty() ? "" : "; ", o.played.note);
  return out;
}

std::string tables(const std::vector<Outcome>& outcomes) {
  std::string out;
  const char* before = "";
  for (const Outcome& o : outcomes) {
    const char* group = name(o.played.group);
    if (std::string_view(before) != group) {
      before = group;
      out += fmt::format(
          "\n## All of them: {}\n\n| storm | T\\* s | floor | R | R99 | peak | Jain | waste | SYN "
          "| not back at 2 T\\* | missed |\n"
          "|---|---|---|---|---|---|---|---|---|---|---|\n",
          group);
    }
    out += row(o);
    if (const std::string more = others(o); !more.empty())
      out += fmt::format("| &nbsp; | | | | | | | | | | {} |\n", more);
  }
  return out;
}

}  // namespace

std::string summary(const Outcome& o) {
  const Result& r = o.typical();
  std::size_t missed = 0, unreachable = 0;
  const auto figures = o.figures();
  for (std::size_t i = 0; i < figures.size(); ++i) {
    if (figures[i].met) continue;
    ++(o.out_of_reach(o.played.checks[i]) ? unreachable : missed);
  }
  const std::string verdict = missed > 0        ? fmt::format("MISSES {}", missed)
                              : unreachable > 0 ? "floor"
                                                : "ok";
  return fmt::format(
      "{:<48} R {:>6} R99 {:>6} floor {:.3f} peak {:.3f} Jain {:.3f} waste {:.4f} {}",
      o.played.name, times(r.stretch()), times(r.stretch99()), o.floor(), r.peak_100ms, r.jain_min,
      r.waste, verdict);
}

bool write_report(const std::string& folder, const bench::Occasion& occasion,
                  const std::vector<Outcome>& outcomes) {
  std::string text = heading(occasion) + scoreboard(outcomes);
  bool good = true;
  for (const Picture& picture : pictures(outcomes)) {
    good = good && bench::write_text(folder + "/" + picture.file, picture.svg);
    text += fmt::format("![{}]({})\n\n", picture.title, picture.file);
  }
  text += baselines(outcomes) + tables(outcomes);
  text += "\n## To make this again\n\n    ./dev bench storm --model --report docs/measurements\n";
  return bench::write_text(folder + "/storm-model.md", text) && good;
}

}  // namespace sallyport::storm
