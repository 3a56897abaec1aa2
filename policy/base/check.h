// Assertions about our own code, never about input. SALLYPORT_CHECK is always compiled: a dead
// dataplane forwards nothing, which is the safe side. SALLYPORT_ASSUME aborts in debug, test and
// fuzz builds only and costs nothing in release.
#pragma once

namespace sallyport {
// Prints the text and aborts.
[[noreturn]] void check_failed(const char* expression, const char* file, int line) noexcept;
}  // namespace sallyport

#define SALLYPORT_CHECK(condition) \
  ((condition) ? static_cast<void>(0) : ::sallyport::check_failed(#condition, __FILE__, __LINE__))

#ifdef SALLYPORT_DEBUG
#define SALLYPORT_ASSUME(condition) SALLYPORT_CHECK(condition)
#else
#define SALLYPORT_ASSUME(condition) static_cast<void>(sizeof((condition) ? 1 : 0))
#endif
