#include "control/cli/commands.h"

int main(int argc, char** argv) { return sallyport::control::sallyctl(argc, argv); }
