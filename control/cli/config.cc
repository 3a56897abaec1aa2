// config check, diff, apply, history, show, rollback.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "control/cli/commands.h"
#include "control/cli/diff.h"
#include "control/config/load.h"
#include "control/config/tree.h"
#include "policy/compile/compile.h"
#include "policy/os/clock.h"

namespace sallyport::control {
namespace {

constexpr const char* kDefaultFile = "/etc/sallyport/gateway.yaml";

struct Words {
  std::string file = kDefaultFile;
  std::string comment;
  std::uint64_t number = 0;
  bool yes = false;
};

model::Diagnostic to_diagnostic(const OrderedJson& problem) {
  return {{problem.value("line", 0U), problem.value("column", 0U)},
          problem.value("code", ""),
          problem.value("message", ""),
          problem.value("hint", "")};
}

int print_problems(const Context& context, const std::string& file,
                   const model::Diagnostics& problems, bool mistakes) {
  if (context.json) {
    OrderedJson out = OrderedJson::array();
    for (const model::Diagnostic& one : problems)
      out.push_back({{"file", file},
                     {"line", one.at.line},
                     {"column", one.at.column},
                     {"code", one.code},
                     {"message", one.message},
                     {"write", one.hint}});
    std::cout << OrderedJson{{"ok", !mistakes}, {mistakes ? "mistakes" : "warnings", out}}.dump(2)
              << "\n";
    return mistakes ? kExitMistakes : kExitDone;
  }
  for (const model::Diagnostic& one : problems)
    std::cerr << (mistakes ? "" : "warning: ") << format_problem(file, one) << "\n";
  return mistakes ? kExitMistakes : kExitDone;
}

// Here and now, without the running gateway: the same loader and compiler that control uses.
int check(const Context& context, const Words& words) {
  const auto text = read_file(words.file, kMaxConfigSize + 1);
  if (!text) return context.refuse(text.error());
  const auto gateway = load_config(*text);
  if (!gateway) return print_problems(context, words.file, gateway.error(), true);
  compile::CompileInput input;
  input.revision = 1;
  constexpr std::int64_t kNsPerDay = std::int64_t{86'400} * 1'000'000'000;
  input.today = static_cast<std::int32_t>(os::wall_ns() / kNsPerDay);
  const auto compiled = compile::compile(*gateway, input);
  if (!compiled) return print_problems(context, words.file, compiled.error(), true);
  if (context.json || !compiled->warnings.empty())
    return print_problems(context, words.file, compiled->warnings, false);
  std::cout << good(fmt::format("{}: no mistakes", words.file), context.style) << ": "
            << gateway->segments.size() << " segments, " << gateway->devices.size() << " devices, "
            << gateway->conduits.size() << " conduits\n";
  return kExitDone;
}

int diff(const Context& context, const Words& words) {
  const auto text = read_file(words.file, kMaxConfigSize + 1);
  if (!text) return context.refuse(text.error());
  OrderedJson request = {{"op", "revision"}};
  if (words.number != 0) request["number"] = words.number;
  const auto reply = context.client().ask(request);
  std::string before;
  std::string name = "nothing in force";
  if (reply) {
    before = reply->result.value("text", "");
    name = fmt::format("revision {}", reply->result.value("number", 0));
  } else if (reply.error().code != "no-such-revision" || words.number != 0) {
    return context.refuse(reply.error());
  }
  const std::string out = unified_diff(before, *text, name, words.file);
  if (context.json)
    std::cout << OrderedJson{{"same", out.empty()}, {"diff", out}}.dump(2) << "\n";
  else if (out.empty())
    std::cout << words.file << " is what is in force\n";
  else
    std::cout << out;
  return out.empty() ? kExitDone : kExitDiffers;
}

bool ask_yes(const std::string& question) {
  if (isatty(STDIN_FILENO) == 0 || isatty(STDERR_FILENO) == 0) return false;
  std::cerr << question << " Go on? [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

// Sends `request` (apply or rollback), asking the person in between if the gateway wants that.
int apply(const Context& context, const std::string& file, OrderedJson request,
          const std::optional<std::string>& text) {
  OrderedJson refusal;
  auto reply = context.client().ask(request, text, &refusal);
  if (!reply && reply.error().code == "confirmation-needed" && ask_yes(reply.error().context)) {
    request["yes"] = true;
    reply = context.client().ask(request, text, &refusal);
  }
  if (!reply && refusal.contains("problems")) {
    model::Diagnostics problems;
    for (const auto& one : refusal["problems"]) problems.push_back(to_diagnostic(one));
    const int code = print_problems(context, file, problems, true);
    if (!context.json) std::cerr << "nothing was changed\n";
    return code;
  }
  if (!reply) {
    Error error = reply.error();
    if (error.code == "confirmation-needed") error.context += "\n  next: the same with --yes";
    return context.refuse(error);
  }
  if (context.json) return context.print(reply->result);
  for (const auto& warning : reply->result["warnings"])
    std::cerr << "warning: " << format_problem(file, to_diagnostic(warning)) << "\n";
  if (reply->result.contains("note")) std::cerr << reply->result.value("note", "") << "\n";
  std::cout << good(fmt::format("revision {} is in force", reply->result.value("revision", 0)),
                    context.style)
            << "\n";
  return kExitDone;
}

int apply_file(const Context& context, const Words& words) {
  const auto text = read_file(words.file, kMaxConfigSize + 1);
  if (!text) return context.refuse(text.error());
  if (text->size() > kMaxConfigSize || text->empty())
    return print_problems(context, words.file, load_config(*text).error(), true);
  return apply(context, words.file,
               {{"op", "apply"}, {"comment", words.comment}, {"yes", words.yes}}, *text);
}

int rollback(const Context& context, const Words& words) {
  return apply(context, fmt::format("revision {}", words.number),
               {{"op", "rollback"},
                {"number", words.number},
                {"comment", words.comment},
                {"yes", words.yes}},
               std::nullopt);
}

int history(const Context& context) {
  auto reply = context.client().ask({{"op", "history"}});
  if (!reply) return context.refuse(reply.error());
  if (!context.json)
    for (auto& row : reply->result) {
      row.erase("chain");
      row["sha256"] = row.value("sha256", "").substr(0, 12);
    }
  return context.print(reply->result);
}

int show(const Context& context, const Words& words) {
  OrderedJson request = {{"op", "revision"}};
  if (words.number != 0) request["number"] = words.number;
  const auto reply = context.client().ask(request);
  if (!reply) return context.refuse(reply.error());
  if (context.json) return context.print(reply->result);
  std::cout << reply->result.value("text", "");
  return kExitDone;
}

}  // namespace

void add_config(CLI::App& app, Context& context) {
  CLI::App* config =
      app.add_subcommand("config", "The configuration: check a file, compare, apply, go back");
  config->require_subcommand(1);
  auto words = std::make_shared<Words>();
  const auto add = [&](const char* name, const char* help,
                       int (*run)(const Context&, const Words&)) {
    CLI::App* sub = config->add_subcommand(name, help);
    sub->callback([&context, words, run] {
      context.command = [&context, words, run] { return run(context, *words); };
    });
    return sub;
  };
  const auto add_file = [&](CLI::App* sub) {
    sub->add_option("file", words->file, "the configuration")->capture_default_str();
  };
  const auto add_commit = [&](CLI::App* sub) {
    sub->add_option("--comment", words->comment, "why, for the history");
    sub->add_flag("--yes", words->yes, "also if the dataplane must restart for it");
  };
  add_file(
      add("check", "Every mistake of a file; needs no running gateway, changes nothing", check));
  CLI::App* compare = add("diff", "Differences between what is in force and a file", diff);
  add_file(compare);
  compare->add_option("--revision", words->number, "compare with this revision instead");
  CLI::App* apply_command =
      add("apply", "Bring a file into force, all of it or nothing", apply_file);
  add_file(apply_command);
  add_commit(apply_command);
  add("history", "Every revision: when, who, why",
      [](const Context& c, const Words&) { return history(c); });
  add("show", "A revision's text, byte for byte", show)
      ->add_option("number", words->number, "which; the one in force if not given");
  CLI::App* back =
      add("rollback", "Bring an earlier revision's text into force, as a new one", rollback);
  back->add_option("number", words->number, "which; the one before if not given");
  add_commit(back);
}

}  // namespace sallyport::control
