#include "tests/perf/policy/document.h"

#include <fmt/format.h>

namespace sallyport::bench {

bool write_policy_report(const std::string& folder, const Occasion& occasion,
                         const std::vector<Figure>& figures) {
  std::string out = "# From a configuration's text to what is in force\n\n";
  out += "Written by the bench itself; do not edit.\n\n";
  out += fmt::format("* command: `{}`\n* commit: {}\n* machine: {}\n* date: {}\n\n",
                     occasion.command, occasion.commit, occasion.machine, occasion.date);
  out +=
      "`load`, `compile`, `prove`, `verify` and `list` are processor time of one thread. `check`, "
      "`apply` "
      "and\n`commit` are time on the clock, through all daemons in the lab's namespaces: programs "
      "started, text read,\ncompiled, proven, stored, acknowledged. `loop` is the longest that "
      "control left another question waiting\nmeanwhile.\n\n";
  out += "| case | median | min | max | target | met | |\n|---|---|---|---|---|---|---|\n";
  for (const Figure& f : figures) {
    const bool aimed = f.target != 0;
    out += fmt::format("| {} | {:.1f} {} | {:.1f} | {:.1f} | {} | {} | {} |\n", f.name, f.median,
                       f.unit, f.min, f.max, aimed ? fmt::format("{:.0f}", f.target) : "",
                       aimed ? (f.met ? "yes" : "**no**") : "", f.note);
  }
  return write_text(folder + "/policy.md", out);
}

}  // namespace sallyport::bench
