// How explanations look on a terminal; shared by explain, explain --last and trace. Internal to
// control/cli.
//
// Values come from other processes: control bytes are replaced before a terminal sees them.
#pragma once

#include <string>

#include "control/cli/commands.h"

namespace sallyport::control {

// The string under `key`, printable; empty if there is none.
std::string text_at(const OrderedJson& value, const char* key);
// "  stage  outcome  detail" lines.
void print_steps(const OrderedJson& steps);
void print_explanation(const Context& context, const OrderedJson& explanation);

// What `explain --last` narrows the drops by; empty strings do not narrow.
struct Narrowed {
  std::string in, port, mac, device, reason, source, destination, protocol;
  std::uint64_t count = 1;
};
int explain_last(const Context& context, const Narrowed& asked);

}  // namespace sallyport::control
