// Linked into every fuzz target with --wrap: whatever reaches for a socket or for randomness ends
// the run at once, because an input that depends on either cannot be replayed. (libFuzzer itself
// reads files and clocks, so those are left to the lints, which keep them out of the engines.)
#include <cstdio>
#include <cstdlib>

namespace {
[[noreturn]] void refuse(const char* what) {
  std::fprintf(stderr, "a fuzz target must not call %s\n", what);
  std::abort();
}
}  // namespace

// The arguments do not matter: none of these ever returns.
extern "C" {
int __wrap_socket() { refuse("socket"); }
int __wrap_connect() { refuse("connect"); }
int __wrap_bind() { refuse("bind"); }
int __wrap_getaddrinfo() { refuse("getaddrinfo"); }
int __wrap_getrandom() { refuse("getrandom"); }
int __wrap_getentropy() { refuse("getentropy"); }
}
