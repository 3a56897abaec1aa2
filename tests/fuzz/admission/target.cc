// Target functions: admission::Engine::arrive, progress, finished, poll, and all below them.
// Trust level: schedules are made by devices and servers, so by anyone.
// Property: the engine and its naive twin make the same decisions; the ledgers balance after every
// step (checked inside the engine); nothing is in flight beyond the conduit's bound; a credit comes
// back once.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "tests/support/admission_duel.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::size_t used = 0;
  const auto choose = [&](unsigned n) {
    if (used >= size) return 0U;
    return data[used++] % n;
  };
  if (size < 8) return 0;
  sallyport::admission::test::Duel duel(choose);
  while (used < size) {
    if (const auto difference = duel.step(choose)) {
      std::fprintf(stderr, "%s\n", difference->c_str());
      std::abort();
    }
  }
  return 0;
}
