#include "control/cli/exit_codes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace sallyport::control {
namespace {

struct Status {
  ExitCode exit;
  std::string_view help;
};
constexpr std::array kStatuses{
#define SALLYPORT_EXIT_CODE(name, value, help) Status{name, help},
    SALLYPORT_EXIT_CODES(SALLYPORT_EXIT_CODE)
#undef SALLYPORT_EXIT_CODE
};

struct Refusal {
  std::string_view code;  // in the answer, and in --json
  ExitCode exit;
};
constexpr std::array kRefusals{
    Refusal{"bad-question", kExitUsage},
    Refusal{"bad-filter", kExitUsage},
    Refusal{"bad-request", kExitUsage},
    Refusal{"no-such-revision", kExitUsage},
    Refusal{"unknown-operation", kExitUsage},
    Refusal{"config-invalid", kExitMistakes},
    Refusal{"control-not-running", kExitNotRunning},
    Refusal{"no-answer", kExitNotRunning},
    Refusal{"no-database", kExitNotRunning},
    Refusal{"peer-gone", kExitNotRunning},
    Refusal{"peer-silent", kExitNotRunning},
    Refusal{"starting", kExitNotRunning},
    Refusal{"not-permitted", kExitNotPermitted},
    Refusal{"nothing-to-confirm", kExitRefused},
    Refusal{"nothing-to-go-back-to", kExitRefused},
    Refusal{"not-proven", kExitRefused},
    Refusal{"confirmation-needed", kExitConfirm},
    Refusal{"being-written", kExitSystem},
    Refusal{"cannot-read", kExitSystem},
    Refusal{"editor-failed", kExitSystem},
    Refusal{"busy", kExitBusy},
    Refusal{"changed-meanwhile", kExitBusy},
    Refusal{"not-stored", kExitNotStored},
};

}  // namespace

ExitCode exit_code(const Error& error) {
  const auto* known = std::find_if(kRefusals.begin(), kRefusals.end(),
                                   [&](const Refusal& one) { return one.code == error.code; });
  if (known != kRefusals.end()) return known->exit;
  return error.kind == ErrorKind::kSystem  ? kExitSystem
         : error.kind == ErrorKind::kUsage ? kExitUsage
                                           : kExitRefused;
}

std::string exit_codes_text() {
  std::string out = "Exit codes:";
  for (const Status& status : kStatuses)
    out += fmt::format("\n  {:>2}  {}", static_cast<int>(status.exit), status.help);
  return out;
}

std::vector<ExitStatus> exit_statuses() {
  std::vector<ExitStatus> out;
  for (const Status& status : kStatuses) {
    ExitStatus& one = out.emplace_back(ExitStatus{status.exit, status.help, {}});
    for (const Refusal& refusal : kRefusals)
      if (refusal.exit == status.exit) one.refusals.push_back(refusal.code);
  }
  return out;
}

std::string exit_codes_table() {
  std::string out = "| exit | meaning | codes of refusals (`--json`) |\n|---|---|---|\n";
  for (const ExitStatus& status : exit_statuses()) {
    std::string codes;
    for (const std::string_view code : status.refusals)
      codes += fmt::format("{}`{}`", codes.empty() ? "" : ", ", code);
    if (status.exit == kExitRefused) codes += ", and every code that is named nowhere else";
    out += fmt::format("| {} | {} | {} |\n", static_cast<int>(status.exit), status.help, codes);
  }
  return out;
}

}  // namespace sallyport::control
