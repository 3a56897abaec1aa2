// Arrays that are used all over, in any order: in huge pages where the kernel gives them.
//
// Rationale: a table of a million flows spans 40,000 pages of 4 KiB, ten times as many as a core
// remembers the places of, and every look at it would walk the page tables as well. It is a hint: a
// kernel that knows no transparent huge pages, or has none left, gives small ones. What is smaller
// than a huge page is LineAllocator's.
#pragma once

#include <sys/mman.h>

#include "dataplane/cache_line.h"

namespace sallyport::dataplane {

template <class T>
struct LargeAllocator {
  using value_type = T;
  LargeAllocator() noexcept = default;
  template <class U>
  explicit(false) LargeAllocator(const LargeAllocator<U>&) noexcept {}
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  T* allocate(std::size_t count) {
    const std::size_t bytes = LineAllocator<T>::whole_lines(count);
    if (bytes < kHugePage) return LineAllocator<T>().allocate(count);
    void* at = ::operator new(bytes, std::align_val_t{kHugePage});
    ::madvise(at, bytes, MADV_HUGEPAGE);
    return static_cast<T*>(at);
  }
  void deallocate(T* at, std::size_t count) noexcept {
    const std::size_t bytes = LineAllocator<T>::whole_lines(count);
    if (bytes < kHugePage) return LineAllocator<T>().deallocate(at, count);
    ::operator delete(static_cast<void*>(at), bytes, std::align_val_t{kHugePage});
  }
  friend bool operator==(const LargeAllocator&, const LargeAllocator&) noexcept { return true; }
};
template <class T>
using LargeVector = std::vector<T, LargeAllocator<T>>;

}  // namespace sallyport::dataplane
