// sallyctl config ...: its part of the command line.
#include "control/cli/config.h"

namespace sallyport::control {

void add_config(CLI::App& app, Context& context) {
  CLI::App* config =
      app.add_subcommand("config", "The configuration: check a file, compare, apply, go back");
  config->require_subcommand(1);
  auto words = std::make_shared<ConfigWords>();
  const auto add = [&](const char* name, const char* help,
                       int (*run)(const Context&, const ConfigWords&)) {
    CLI::App* sub = config->add_subcommand(name, help);
    sub->callback([&context, words, run] {
      context.command = [&context, words, run] { return run(context, *words); };
    });
    return sub;
  };
  const auto add_file = [&](CLI::App* sub) {
    sub->add_option("file", words->file, "the configuration")
        ->type_name("FILE")
        ->capture_default_str();
  };
  const auto add_commit = [&](CLI::App* sub) {
    sub->add_option("--comment", words->comment, "why, for the history");
    sub->add_option("--confirm-within", words->confirm_within,
                    "90s, 10m, 2h: it goes back by itself unless `config confirm` comes in time")
        ->type_name("DURATION");
    sub->add_flag("--yes", words->yes, "without asking, also if the dataplane must restart for it");
    sub->add_flag("--take-over", words->take_over, "also while somebody else is editing");
  };
  add_file(add("check", "Every mistake of a file; needs no running gateway, changes nothing",
               config_check));
  CLI::App* compare =
      add("diff", "Differences between what is in force and a file: in the text, and in traffic",
          config_diff);
  add_file(compare);
  compare->add_option("--revision", words->number, "compare with this revision instead")
      ->type_name("REVISION");
  CLI::App* apply = add("apply", "Bring a file into force, all of it or nothing", config_apply);
  add_file(apply);
  add_commit(apply);
  apply->add_option("--base", words->base, "only if this revision is the one in force")
      ->type_name("REVISION");
  add("confirm", "Keep a revision that was applied with --confirm-within", config_confirm);
  CLI::App* back =
      add("rollback", "Bring an earlier revision's text into force, as a new one", config_rollback);
  back->add_option("number", words->number,
                   "which; the one before if not given, or the confirmed one while one waits to be "
                   "confirmed")
      ->type_name("REVISION");
  add_commit(back);
  add("history", "Every revision: when, who, why, and how it ended", config_history);
  add("show", "A revision's text, byte for byte", config_show)
      ->add_option("number", words->number, "which; the one in force if not given")
      ->type_name("REVISION");
  add_commit(add("edit",
                 "The text in force in $VISUAL or $EDITOR; then checked, compared, applied. Nobody "
                 "else can commit meanwhile",
                 config_edit));
}

}  // namespace sallyport::control
