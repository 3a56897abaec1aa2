#include "policy/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace sallyport {

void check_failed(const char* expression, const char* file, int line) noexcept {
  std::fprintf(stderr, "%s:%d: invariant broken: %s\n", file, line, expression);
  std::abort();
}

}  // namespace sallyport
