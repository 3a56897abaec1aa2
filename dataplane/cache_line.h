// Whose cache line is it? What one thread writes shares no line with what another does.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <vector>

namespace sallyport::dataplane {

inline constexpr std::size_t kCacheLine = 64;

// A value with a cache line of its own: written by one thread, read by another, and nothing beside
// it that would travel along.
template <class T>
struct alignas(kCacheLine) OwnLine {
  T value{};
};

// Memory in whole cache lines, so that two workers' tables may stand side by side in the heap.
template <class T>
struct LineAllocator {
  using value_type = T;
  LineAllocator() noexcept = default;
  template <class U>
  explicit(false) LineAllocator(const LineAllocator<U>&) noexcept {}
  static constexpr std::align_val_t kAlignment{alignof(T) > kCacheLine ? alignof(T) : kCacheLine};
  static constexpr std::size_t whole_lines(std::size_t count) noexcept {
    // NOLINTNEXTLINE(bugprone-sizeof-expression): T may be a pointer, and its size is meant
    return (count * sizeof(T) + kCacheLine - 1) / kCacheLine * kCacheLine;
  }
  T* allocate(std::size_t count) {
    return static_cast<T*>(::operator new(whole_lines(count), kAlignment));
  }
  void deallocate(T* at, std::size_t count) noexcept {
    ::operator delete(static_cast<void*>(at), whole_lines(count), kAlignment);
  }
  friend bool operator==(const LineAllocator&, const LineAllocator&) noexcept { return true; }
};
template <class T>
using LineVector = std::vector<T, LineAllocator<T>>;

// The same without bounds: a fixed array that fills its lines.
struct LineDelete {
  template <class T>
  void operator()(T* at) const noexcept {
    ::operator delete[](at, std::align_val_t{kCacheLine});
  }
};
template <class T>
using LineArray = std::unique_ptr<T[], LineDelete>;
template <class T>
LineArray<T> make_line_array(std::size_t count) {
  static_assert(std::is_trivially_destructible_v<T> && alignof(T) <= kCacheLine);
  const std::size_t lines = LineAllocator<T>::whole_lines(count);
  auto* at = static_cast<T*>(::operator new[](lines, std::align_val_t{kCacheLine}));
  std::uninitialized_value_construct_n(at, count);
  return LineArray<T>(at);
}

}  // namespace sallyport::dataplane
