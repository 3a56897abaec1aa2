// A command line as a manual page, in the macros of man(7): from the same CLI11 objects that print
// --help, so that neither can say what the other does not.
//
// Pure; the same bytes for the same command line. Texts are escaped: no option's help can become a
// request of roff.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

namespace sallyport::control {

// sallyctl.1 of the parsed-nothing `app`. `first_steps`: examples, lines as they are to be shown.
std::string manual_page(const CLI::App& app, std::string_view version,
                        std::string_view first_steps);

// Text that roff prints as it is, whatever is in it, also at the start of a line.
std::string roff_text(std::string_view text);

}  // namespace sallyport::control
