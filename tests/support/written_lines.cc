// Compiled without the sanitizer, so that nothing here calls itself. It uses no inline function
// that others use too: the linker keeps one copy, and it must be the others'.
#include "tests/support/written_lines.h"

namespace sallyport::testing::written_lines {
namespace {

constexpr std::size_t kRoom = std::size_t{1} << 18;  // a power of two
constexpr std::size_t kProbes = 64;

struct alignas(kLine) Book {
  Entry entries[kRoom];
  bool full;
};
Book books[kBooks];
bool is_open = false;
thread_local Book* own = nullptr;

std::size_t place_of(std::uintptr_t line) {
  return static_cast<std::size_t>((line / kLine * 0x9e3779b97f4a7c15U) >> 32);
}

void enter(Book& book, std::uintptr_t line, std::uintptr_t code) noexcept {
  for (std::size_t i = 0; i < kProbes; ++i) {
    Entry& at = book.entries[(place_of(line) + i) % kRoom];
    if (at.line == line) return;
    if (at.line != 0) continue;
    at = {line, code};
    return;
  }
  book.full = true;
}

// `after` is where the caller goes on.
inline void note(const volatile void* at, std::size_t size, const void* after) noexcept {
  Book* const book = own;
  if (book == nullptr || size == 0 || !__atomic_load_n(&is_open, __ATOMIC_ACQUIRE)) return;
  const auto first = reinterpret_cast<std::uintptr_t>(at);
  for (std::uintptr_t line = first / kLine * kLine; line < first + size; line += kLine)
    enter(*book, line, reinterpret_cast<std::uintptr_t>(after) - 1);
}

}  // namespace

void keep_book(unsigned book) noexcept { own = &books[book % kBooks]; }

void open() noexcept {
  for (Book& book : books) {
    for (Entry& entry : book.entries) entry = {};
    book.full = false;
  }
  __atomic_store_n(&is_open, true, __ATOMIC_RELEASE);
}

void close() noexcept { __atomic_store_n(&is_open, false, __ATOMIC_RELEASE); }

std::span<const Entry> entries(unsigned book) noexcept { return books[book % kBooks].entries; }

bool full(unsigned book) noexcept { return books[book % kBooks].full; }

const Entry* find(unsigned book, std::uintptr_t line) noexcept {
  for (std::size_t i = 0; i < kProbes; ++i) {
    const Entry& at = books[book % kBooks].entries[(place_of(line) + i) % kRoom];
    if (at.line == line) return &at;
    if (at.line == 0) return nullptr;
  }
  return nullptr;
}

}  // namespace sallyport::testing::written_lines

// --- what instrumented code calls (gcc's sanitizer.def) -----------------------------------------

// NOLINTBEGIN(bugprone-reserved-identifier,bugprone-macro-parentheses): names and types are gcc's
namespace lines = sallyport::testing::written_lines;
#define SALLYPORT_AFTER __builtin_return_address(0)

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void* at, void*) { lines::note(at, sizeof(void*), SALLYPORT_AFTER); }
void __tsan_write_range(void* at, std::size_t size) { lines::note(at, size, SALLYPORT_AFTER); }
void __tsan_read_range(void*, std::size_t) {}

#define SALLYPORT_PLAIN(size)      \
  void __tsan_read##size(void*) {} \
  void __tsan_write##size(void* at) { lines::note(at, size, SALLYPORT_AFTER); }
SALLYPORT_PLAIN(1)
SALLYPORT_PLAIN(2)
SALLYPORT_PLAIN(4)
SALLYPORT_PLAIN(8)
SALLYPORT_PLAIN(16)

// Whatever order was asked for, the strongest keeps it. An exchange that changes nothing takes the
// line from the others all the same.
#define SALLYPORT_CHANGE(bits, name)                                                 \
  std::uint##bits##_t __tsan_atomic##bits##_##name(volatile std::uint##bits##_t* at, \
                                                   std::uint##bits##_t value, int) { \
    lines::note(at, sizeof *at, SALLYPORT_AFTER);                                    \
    return __atomic_##name(at, value, __ATOMIC_SEQ_CST);                             \
  }
#define SALLYPORT_COMPARE(bits, name, weak)                                                \
  int __tsan_atomic##bits##_compare_exchange_##name(volatile std::uint##bits##_t* at,      \
                                                    std::uint##bits##_t* expected,         \
                                                    std::uint##bits##_t value, int, int) { \
    lines::note(at, sizeof *at, SALLYPORT_AFTER);                                          \
    return __atomic_compare_exchange_n(at, expected, value, weak, __ATOMIC_SEQ_CST,        \
                                       __ATOMIC_SEQ_CST);                                  \
  }
#define SALLYPORT_ATOMIC(bits)                                                                  \
  std::uint##bits##_t __tsan_atomic##bits##_load(const volatile std::uint##bits##_t* at, int) { \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                               \
  }                                                                                             \
  void __tsan_atomic##bits##_store(volatile std::uint##bits##_t* at, std::uint##bits##_t value, \
                                   int) {                                                       \
    lines::note(at, sizeof *at, SALLYPORT_AFTER);                                               \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                              \
  }                                                                                             \
  std::uint##bits##_t __tsan_atomic##bits##_exchange(volatile std::uint##bits##_t* at,          \
                                                     std::uint##bits##_t value, int) {          \
    lines::note(at, sizeof *at, SALLYPORT_AFTER);                                               \
    return __atomic_exchange_n(at, value, __ATOMIC_SEQ_CST);                                    \
  }                                                                                             \
  SALLYPORT_CHANGE(bits, fetch_add)                                                             \
  SALLYPORT_CHANGE(bits, fetch_sub)                                                             \
  SALLYPORT_CHANGE(bits, fetch_and)                                                             \
  SALLYPORT_CHANGE(bits, fetch_or)                                                              \
  SALLYPORT_CHANGE(bits, fetch_xor)                                                             \
  SALLYPORT_COMPARE(bits, strong, false)                                                        \
  SALLYPORT_COMPARE(bits, weak, true)
SALLYPORT_ATOMIC(8)
SALLYPORT_ATOMIC(16)
SALLYPORT_ATOMIC(32)
SALLYPORT_ATOMIC(64)
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

// By --wrap: copies are calls (-fno-builtin-memcpy and its like).
void* __real_memcpy(void* to, const void* from, std::size_t size);
void* __real_memmove(void* to, const void* from, std::size_t size);
void* __real_memset(void* to, int value, std::size_t size);
void* __wrap_memcpy(void* to, const void* from, std::size_t size) {
  lines::note(to, size, SALLYPORT_AFTER);
  return __real_memcpy(to, from, size);
}
void* __wrap_memmove(void* to, const void* from, std::size_t size) {
  lines::note(to, size, SALLYPORT_AFTER);
  return __real_memmove(to, from, size);
}
void* __wrap_memset(void* to, int value, std::size_t size) {
  lines::note(to, size, SALLYPORT_AFTER);
  return __real_memset(to, value, size);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier,bugprone-macro-parentheses)
