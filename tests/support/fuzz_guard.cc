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
int __wrap_socket() {
  refuse("socket");
}  // NOLINT(bugprone-reserved-identifier): the linker's --wrap
int __wrap_connect() {
  refuse("connect");
}                                      // NOLINT(bugprone-reserved-identifier): the linker's --wrap
int __wrap_bind() { refuse("bind"); }  // NOLINT(bugprone-reserved-identifier): the linker's --wrap
int __wrap_getaddrinfo() {
  refuse("getaddrinfo");
}  // NOLINT(bugprone-reserved-identifier): the linker's --wrap
int __wrap_getrandom() {
  refuse("getrandom");
}  // NOLINT(bugprone-reserved-identifier): the linker's --wrap
int __wrap_getentropy() {
  refuse("getentropy");
}  // NOLINT(bugprone-reserved-identifier): the linker's --wrap
}
