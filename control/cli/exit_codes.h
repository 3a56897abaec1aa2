// What sallyctl ends with: one line per status, from which the enumeration, `sallyctl --help`, the
// manual and docs/reference/sallyctl.md are made; and which of control's refusals ends in which.
//
// Statuses are stable: scripts read them. A new refusal gets a line in kRefusals (exit_codes.cc),
// or it ends in kExitRefused. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "policy/base/result.h"

namespace sallyport::control {

#define SALLYPORT_EXIT_CODES(X)                                                      \
  X(kExitDone, 0, "done")                                                            \
  X(kExitDiffers, 1, "config diff: there are differences")                           \
  X(kExitUsage, 2, "the command line makes no sense, or names what is not there")    \
  X(kExitMistakes, 3, "the configuration has mistakes; nothing was changed")         \
  X(kExitNotRunning, 4, "a process of the gateway is not running, or not yet ready") \
  X(kExitNotPermitted, 5, "not permitted: neither root nor in the group sallyport")  \
  X(kExitRefused, 6, "the gateway refused; nothing was changed")                     \
  X(kExitConfirm, 7, "it was not confirmed (--yes); nothing was changed")            \
  X(kExitSystem, 8, "a file cannot be read or written, or the system failed")        \
  X(kExitBusy, 9,                                                                    \
    "somebody else is changing, or has changed, the configuration; nothing was "     \
    "changed by you")                                                                \
  X(kExitNotStored, 10, "the database cannot store it (is the disk full?); nothing was changed")

enum ExitCode : int {
#define SALLYPORT_EXIT_CODE(name, value, help) name = (value),
  SALLYPORT_EXIT_CODES(SALLYPORT_EXIT_CODE)
#undef SALLYPORT_EXIT_CODE
};

ExitCode exit_code(const Error& error);

struct ExitStatus {
  ExitCode exit;
  std::string_view help;
  std::vector<std::string_view> refusals;  // codes in the answer, and in --json
};
// In the order of the statuses.
std::vector<ExitStatus> exit_statuses();

// "Exit codes:" and a line each, for --help.
std::string exit_codes_text();
// A Markdown table with the refusals that end in each.
std::string exit_codes_table();

}  // namespace sallyport::control
