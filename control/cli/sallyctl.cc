#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

#include "control/app/version.h"
#include "control/cli/commands.h"
#include "control/cli/completion.h"
#include "control/cli/manual.h"

namespace sallyport::control {
namespace {

constexpr const char* kFirstSteps =
    "First steps:\n"
    "  sallyctl config check my.yaml      every mistake, with what to write instead\n"
    "  sallyctl config apply my.yaml      bring it into force, all of it or nothing\n"
    "  sallyctl status                    what is in force, and whether all processes are there\n"
    "  sallyctl show drops                what was not let through, and why\n"
    "  sallyctl top                       what passes and what is dropped, second by second\n"
    "  sallyctl explain --in SEGMENT SRC:PORT DST:PORT tcp\n"
    "  sallyctl explain --last            why the newest drop was dropped\n"
    "  sallyctl prove                     who may talk to whom, and what cannot be enforced\n\n";

bool wants_colour(int fd) {
  const char* term = std::getenv("TERM");
  return isatty(fd) != 0 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb";
}

void help_of(const CLI::App& app, const std::string& parents, std::string& out) {
  const std::string name = (parents.empty() ? "" : parents + " ") + app.get_name();
  out += fmt::format("## {}\n\n```text\n{}```\n\n", name, app.help(parents));
  for (const CLI::App* sub : app.get_subcommands({})) help_of(*sub, name, out);
}

}  // namespace

void build_command_line(CLI::App& app, Context& context) {
  app.name("sallyctl");
  app.description("The operator's command for a Sallyport gateway.");
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--run-dir", context.run_dir, "sockets of the gateway's processes")
      ->type_name("FOLDER")
      ->capture_default_str();
  app.add_flag("--json", context.json, "answers as JSON, for programs");
  add_reads(app, context);
  add_config(app, context);
  add_explain(app, context);
  add_prove(app, context);
  add_policy(app, context);
  add_review(app, context);
  add_capture(app, context);
  add_trace(app, context);
  add_top(app, context);
  // Last, so that the subcommands do not repeat it.
  app.footer(kFirstSteps + exit_codes_text());
}

int Context::refuse(const Error& error) const {
  const int code = exit_code(error);
  if (json)
    std::cout << OrderedJson{{"ok", false},
                             {"code", error.code},
                             {"message", error.context},
                             {"exit", code}}
                     .dump(2)
              << "\n";
  else
    std::cerr << bad("sallyctl: ", error_style) << error.context << "\n";
  return code;
}

int Context::print(const OrderedJson& result) const {
  std::cout << (json ? result.dump(2) + "\n" : render(result, style));
  return kExitDone;
}

Result<std::string> read_file(const std::string& path, std::size_t limit) {
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return fail(ErrorKind::kSystem, "cannot-read",
                fmt::format("{}: {}", path, std::strerror(errno)));
  std::string text(limit + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad())
    return fail(ErrorKind::kSystem, "cannot-read",
                fmt::format("{}: {}", path, std::strerror(errno)));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

int sallyctl(int argc, const char* const* argv) {
  CLI::App app;
  Context context;
  context.style.colour = wants_colour(STDOUT_FILENO);
  context.error_style.colour = wants_colour(STDERR_FILENO);
  build_command_line(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitDone : kExitUsage;
  }
  return context.command ? context.command() : kExitUsage;
}

std::string all_help() {
  CLI::App app;
  Context context;
  build_command_line(app, context);
  std::string out =
      "# sallyctl\n\nGenerated from the command's own tables by `control/cli`; do not edit.\n\n"
      "## Exit codes\n\n" +
      exit_codes_table() + "\n";
  help_of(app, "", out);
  return out;
}

std::string manual() {
  CLI::App app;
  Context context;
  build_command_line(app, context);
  return manual_page(app, kVersion, kFirstSteps);
}

std::string completion() {
  CLI::App app;
  Context context;
  build_command_line(app, context);
  return completion_tables(app);
}

}  // namespace sallyport::control
