#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>

#include "control/cli/commands.h"

namespace sallyport::control {
namespace {

constexpr const char* kFooter =
    "First steps:\n"
    "  sallyctl config check my.yaml      every mistake, with what to write instead\n"
    "  sallyctl config apply my.yaml      bring it into force, all of it or nothing\n"
    "  sallyctl status                    what is in force, and whether all processes are there\n"
    "  sallyctl show drops                what was not let through, and why\n"
    "  sallyctl explain --in SEGMENT SRC:PORT DST:PORT tcp\n"
    "\n"
    "Exit codes: 0 done, 1 `config diff` found differences, 2 usage, 3 mistakes in the "
    "configuration,\n"
    "4 a process of the gateway is not running, 5 not permitted, 6 refused (nothing was changed),\n"
    "7 needs confirmation (--yes), 8 a file or the system failed.";

bool wants_colour(int fd) {
  const char* term = std::getenv("TERM");
  return isatty(fd) != 0 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb";
}

void build(CLI::App& app, Context& context) {
  app.name("sallyctl");
  app.description("The operator's command for a Sallyport gateway.");
  app.footer(kFooter);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--run-dir", context.run_dir, "sockets of the gateway's processes")
      ->capture_default_str();
  app.add_flag("--json", context.json, "answers as JSON, for programs");
  add_reads(app, context);
  add_config(app, context);
  add_explain(app, context);
  add_capture(app, context);
}

void help_of(const CLI::App& app, const std::string& name, std::string& out) {
  out += fmt::format("## {}\n\n```text\n{}```\n\n", name, app.help(name));
  for (const CLI::App* sub : app.get_subcommands({}))
    help_of(*sub, name + " " + sub->get_name(), out);
}

}  // namespace

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
  build(app, context);
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
  build(app, context);
  std::string out =
      "# sallyctl\n\nGenerated from the command's own help by `control/cli`; do not edit.\n\n";
  help_of(app, "sallyctl", out);
  return out;
}

}  // namespace sallyport::control
