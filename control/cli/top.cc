// top: what passes and what is dropped, second by second.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "control/cli/commands.h"
#include "control/cli/interrupt.h"
#include "control/cli/rates.h"

namespace sallyport::control {
namespace {

struct Options {
  double interval = 1;
  std::uint64_t count = 0;
  std::size_t lines = 10;
};

// ECMA-48: to the top left, and away with what stands below.
constexpr const char* kAnew = "\x1b[H\x1b[J";

void show(const OrderedJson& now, const Options& options, const Context& context) {
  if (context.json) {
    fmt::print("{}\n", now.dump());
  } else {
    const bool screen = isatty(STDOUT_FILENO) != 0;
    fmt::print("{}{}{}", screen ? kAnew : "", rates_text(now, options.lines, context.style),
               screen ? "\nCtrl-C ends.\n" : "\n");
  }
  std::fflush(stdout);
}

int top(const Context& context, const Options& options) {
  heed_interrupts();
  const Client client = context.client();
  const OrderedJson question = {{"op", "query"}, {"what", "volumes"}};
  auto before = client.ask(question);
  if (!before) return context.refuse(before.error());
  const auto interval = std::chrono::duration_cast<std::chrono::nanoseconds>(
      std::chrono::duration<double>(options.interval));
  for (std::uint64_t shown = 0; options.count == 0 || shown < options.count; ++shown) {
    if (!pause(interval)) break;
    auto after = client.ask(question);
    if (!after) return context.refuse(after.error());
    show(rates(before->result, after->result), options, context);
    if (std::ferror(stdout) != 0) break;
    before = std::move(after);
  }
  return kExitDone;
}

}  // namespace

void add_top(CLI::App& app, Context& context) {
  CLI::App* sub = app.add_subcommand(
      "top", "Packets and bits per second by segment, conduit and drop reason, until Ctrl-C");
  auto options = std::make_shared<Options>();
  sub->add_option("--interval", options->interval, "seconds between two readings")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  sub->add_option("--count", options->count, "end after so many tables; 0 = go on")
      ->capture_default_str();
  sub->add_option("--lines", options->lines, "rows of each table")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  sub->footer("With --json each reading is one line.");
  sub->callback([&context, options] {
    context.command = [&context, options] { return top(context, *options); };
  });
}

}  // namespace sallyport::control
