// Programs that a bench runs for a while and reads.
//
// Failures: an error "no-figure" with the end of what the program printed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/result.h"

namespace sallyport::bench {

// Interrupted after so long, as from a terminal; what it printed on both outputs.
std::string run_for(double seconds, const std::vector<std::string>& arguments);
// To its end; what it printed if it succeeded.
Result<std::string> run_well(const std::vector<std::string>& arguments);

std::unexpected<Error> no_figure(const std::string& who, const std::string& printed);

// Is there such a program on the path, or at this absolute one?
bool installed(const std::string& program);

// The number after `label`, white space between.
std::optional<double> number_after(std::string_view text, std::string_view label);

}  // namespace sallyport::bench
