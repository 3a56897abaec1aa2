// Counts calls into operator new, for benches that promise none. Linked by naming allocations().
#include <cstdint>
#include <cstdlib>
#include <new>

#include "tests/perf/storm/gate.h"

namespace {
std::uint64_t count = 0;
}

// NOLINTBEGIN(misc-new-delete-overloads): the array and nothrow forms come to these
void* operator new(std::size_t size) {
  ++count;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
// NOLINTEND(misc-new-delete-overloads)

namespace sallyport::storm {
std::uint64_t allocations() { return count; }
}  // namespace sallyport::storm
