// status, show, crypto, version.
#include <fmt/format.h>

#include <array>
#include <iostream>

#include "control/app/version.h"
#include "control/cli/commands.h"

namespace sallyport::control {
namespace {

struct Shown {
  const char* what;
  const char* help;
  bool sibling;  // asked of dataplane or terminator, through control
};
constexpr std::array kShown{
    Shown{"ports", "ports and their devices", false},
    Shown{"segments", "segments, their ports, addresses and services", false},
    Shown{"devices", "enrolled devices: where they must be, and with which addresses", false},
    Shown{"conduits", "what is permitted, and where it is written", false},
    Shown{"quarantine", "revision rows that did not verify, as they were found", false},
    Shown{"events", "what an operator must hear of, newest last", false},
    Shown{"flows", "flows in the dataplane now", true},
    Shown{"drops", "what was dropped and why, kept for hours", true},
    Shown{"counters", "packets by port, stage and drop reason", true},
    Shown{"neighbours", "next hops and hosts that the dataplane asked for", true},
    Shown{"sessions", "TLS sessions in the terminator", true},
};

// Who holds the configuration, what goes back by itself, what cannot be kept.
void print_revision_state(const Context& context, const OrderedJson& s) {
  const auto warn = [&](const std::string& line) { std::cout << bad(line, context.style) << "\n"; };
  if (s.contains("unconfirmed")) {
    const auto& waits = s["unconfirmed"];
    warn(fmt::format(
        "revision {} of {} goes back by itself at {}, in {} s; next: sallyctl config "
        "confirm",
        waits.value("revision", 0), waits.value("user", "?"),
        render_time(waits.value("reverts_at", std::int64_t{0})), waits.value("seconds_left", 0)));
  } else if (s.contains("holder")) {
    const auto& holder = s["holder"];
    std::cout << fmt::format("{} {} (since {})\n", holder.value("user", "?"),
                             holder.value("doing", ""),
                             render_time(holder.value("since", std::int64_t{0})));
  }
  const auto& database = s["database"];
  if (!database.value("connected", false))
    warn("the database (ovsdb-server) is not reachable; next: systemctl status sallyport-db");
  else if (const std::string error = database.value("error", ""); !error.empty())
    warn("the database could not store: " + error +
         "; next: is the disk full? df /var/lib/sallyport");
  for (const auto& problem : s["chain"]["problems"]) warn("history: " + problem.get<std::string>());
  if (const std::string error = s["audit"].value("error", ""); !error.empty())
    warn("the audit sink does not take lines: " + error);
}

int show_status(const Context& context) {
  auto reply = context.client().ask({{"op", "status"}});
  if (!reply) return context.refuse(reply.error());
  OrderedJson& s = reply->result;
  if (context.json) return context.print(s);
  const std::string state = s.value("state", "?");
  const bool fine = state == "in-force";
  std::string line = fine ? fmt::format("revision {} is in force", s.value("revision", 0))
                     : state == "incomplete"
                         ? fmt::format("revision {} is not yet acknowledged everywhere (step: {})",
                                       s.value("revision", 0), s.value("step", ""))
                         : "no revision is in force: everything is denied";
  std::cout << (fine ? good(line, context.style) : bad(line, context.style)) << "\n";
  if (const std::string problem = s.value("problem", ""); !problem.empty())
    std::cout << bad("problem: " + problem, context.style) << "\n";
  print_revision_state(context, s);
  const std::string file = s["file"].value("state", "");
  if (file == "edited" || file == "invalid")
    std::cout << s["file"].value("path", "") << ": edited, not applied"
              << (file == "invalid" ? " (and it has mistakes: sallyctl config check)"
                                    : "; next: sallyctl config diff")
              << "\n";
  std::cout << "\n" << render(s["processes"], context.style);
  if (!s["warnings"].empty()) std::cout << "\n" << render(s["warnings"], context.style);
  std::cout << "\n" << s.value("events", 0) << " events since start (sallyctl show events)\n";
  return kExitDone;
}

int show_version(const Context& context) {
  const auto reply = context.client().ask({{"op", "status"}});
  OrderedJson out = {{"sallyctl", kVersion}};
  out["sallyport-control"] = reply ? reply->result.value("version", "?") : "not running";
  return context.print(out);
}

}  // namespace

void add_reads(CLI::App& app, Context& context) {
  app.add_subcommand("status",
                     "Which revision is in force, which processes are there, what is wrong")
      ->callback([&context] { context.command = [&context] { return show_status(context); }; });
  CLI::App* show = app.add_subcommand("show", "What the gateway knows, as tables or --json");
  show->require_subcommand(1);
  for (const Shown& one : kShown) {
    CLI::App* sub = show->add_subcommand(one.what, one.help);
    auto arguments = std::make_shared<std::vector<std::string>>();
    auto limit = std::make_shared<std::uint64_t>(100);
    if (one.sibling)
      sub->add_option("filter", *arguments, "name=value words that narrow the answer");
    if (std::string_view(one.what) == "events")
      sub->add_option("--limit", *limit, "how many of the newest")->capture_default_str();
    sub->callback([&context, one, arguments, limit] {
      context.command = [&context, one, arguments, limit] {
        OrderedJson request = {{"op", one.sibling ? "query" : "show"}, {"what", one.what}};
        request["arguments"] = *arguments;
        request["limit"] = *limit;
        const auto reply = context.client().ask(request);
        return reply ? context.print(reply->result) : context.refuse(reply.error());
      };
    });
  }
  app.add_subcommand("crypto",
                     "Which algorithms can be negotiated, and which are not in the binary")
      ->callback([&context] {
        context.command = [&context] {
          const auto reply = context.client().ask({{"op", "query"}, {"what", "crypto"}});
          return reply ? context.print(reply->result) : context.refuse(reply.error());
        };
      });
  app.add_subcommand("version", "Versions of sallyctl and of the running sallyport-control")
      ->callback([&context] { context.command = [&context] { return show_version(context); }; });
}

}  // namespace sallyport::control
