// sallyctl config ...: what its subcommands share. One file per kind of subcommand; config.cc puts
// them into the command line.
//
// One thread. Failures: exit codes of exit_codes.h, messages on standard error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "control/cli/commands.h"
#include "policy/compile/compile.h"
#include "policy/model/model.h"
#include "policy/review/judge.h"

namespace sallyport::control {

// What the command line said.
struct ConfigWords {
  std::string file = "/etc/sallyport/gateway.yaml";
  std::string comment;
  std::string confirm_within;
  std::uint64_t number = 0;
  std::uint64_t base = 0;
  bool yes = false;
  bool take_over = false;
};

// config_files.cc
int config_check(const Context& context, const ConfigWords& words);
int config_diff(const Context& context, const ConfigWords& words);
// config_history.cc
int config_history(const Context& context, const ConfigWords& words);
int config_show(const Context& context, const ConfigWords& words);
// config_commit.cc
int config_apply(const Context& context, const ConfigWords& words);
int config_rollback(const Context& context, const ConfigWords& words);
int config_confirm(const Context& context, const ConfigWords& words);
// config_edit.cc
int config_edit(const Context& context, const ConfigWords& words);

// Here and now, without the running gateway: the same loader, compiler and proof that control uses.
struct Checked {
  model::Gateway gateway;
  compile::Compiled compiled;
};
std::expected<Checked, model::Diagnostics> check_text(std::string_view text,
                                                      const review::Authorities& authorities);
// Hashes of the CAs in the running gateway's key store; nothing if it cannot be asked. review.cc
review::Authorities gateway_authorities(const Context& context);

// The operator's file, whole: kSystem "being-written" while another process has it open for
// writing, since half of it could be a configuration too.
Result<std::string> read_config(const std::string& path);

// Prints them and returns kExitMistakes, or kExitDone for warnings.
int print_problems(const Context& context, const std::string& file,
                   const model::Diagnostics& problems, bool mistakes);

// A commit, as asked and as answered.
struct CommitRequest {
  OrderedJson body;
  std::optional<std::string> text;
  std::string file;  // as problems are to be told
};
// The options of `words` in a request; kUsage "bad-request" for a duration that is none.
Result<OrderedJson> commit_body(const char* op, const ConfigWords& words);
// Sends it, asking the person in between if the gateway wants that, and prints what came of it.
// Returns the exit code.
int commit(const Context& context, const Connection& connection, CommitRequest request);

// True for a yes from a person at a terminal.
bool ask_yes(const std::string& question);

}  // namespace sallyport::control
