// Prints docs/reference/sallyctl.md; a test compares it with the file.
#include <iostream>

#include "control/cli/commands.h"

int main() {
  std::cout << sallyport::control::all_help();
  return 0;
}
