// A command line as the tables of its completion in bash: from the same CLI11 objects that print
// --help. control/cli/completion.bash, which is installed behind them, looks words up in them.
//
// An option says by its type name what its values are: FILE, FOLDER, or one of kNamed; {a,b,c} are
// words. Pure.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace sallyport::control {

std::string completion_tables(const CLI::App& app);

}  // namespace sallyport::control
