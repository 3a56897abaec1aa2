// Which cache lines a thread writes, by the address of every store: what gcc puts before each one
// for the thread sanitizer (-fsanitize=thread) calls this library instead. Linked in its place, in
// preset tsan (tests/unit/dataplane/CMakeLists.txt).
//
// Seen are the stores, atomic ones among them, and the copies of all code that is compiled with
// that flag, inlined functions of libraries too. Not seen is what a library does in functions of
// its own.
//
// Thread: keep_book() is for the thread that writes, the others for one that waits for both ends of
// a recording to have passed all writers. Failures: a book that is full() has left lines out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sallyport::testing::written_lines {

inline constexpr std::size_t kLine = 64;
inline constexpr unsigned kBooks = 2;

struct Entry {
  std::uintptr_t line = 0;  // the address of its first byte; 0: no entry
  std::uintptr_t code =
      0;  // who wrote it first: an address within the instruction's line of source
};

// From now on the calling thread's writes go into this book, while it is open.
void keep_book(unsigned book) noexcept;
// Empties the books and opens them.
void open() noexcept;
void close() noexcept;
// Holes and entries, in no order.
std::span<const Entry> entries(unsigned book) noexcept;
bool full(unsigned book) noexcept;
// Nothing if this book does not have the line.
const Entry* find(unsigned book, std::uintptr_t line) noexcept;

}  // namespace sallyport::testing::written_lines
