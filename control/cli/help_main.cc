// Prints what is made from the command line: docs/reference/sallyctl.md (a test compares it with
// the file), sallyctl.1, the tables of the completion.
#include <iostream>
#include <string_view>

#include "control/cli/commands.h"

int main(int argc, char** argv) {
  using namespace sallyport::control;
  const std::string_view what = argc == 2 ? argv[1] : "";
  if (what == "reference")
    std::cout << all_help();
  else if (what == "manual")
    std::cout << manual();
  else if (what == "completion")
    std::cout << completion();
  else
    return std::cerr << "usage: sallyctl_help reference|manual|completion\n", 2;
  return std::cout.flush() ? 0 : 1;
}
