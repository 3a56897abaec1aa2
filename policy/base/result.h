// Errors outside the packet path. A function that can fail returns Result<T>; the error's *kind*
// tells the caller what to do next, its *context* tells a person what happened and what to do about
// it. The packet path has no errors, only Drop reasons (policy/base/drop_reasons.h). Bugs are
// SALLYPORT_CHECK (policy/base/check.h).
//
// Thread: values, no sharing. Nothing here allocates except the context string.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace sallyport {

enum class ErrorKind : std::uint8_t {
  kUsage,    // the caller asked for something that makes no sense; fix the call or the command line
  kInvalid,  // untrusted input (file, peer, database, snapshot) is malformed; refuse it, keep what
             // is in force
  kRefused,  // well formed, but policy says no
  kNotFound,     // the thing named does not exist
  kUnavailable,  // a neighbour (process, server, device) is not there now; trying again later may
                 // help
  kTimeout,      // the wait ended; trying again may help
  kExhausted,    // a bound was reached; nothing was changed
  kSystem,       // the kernel or a library failed; context keeps its words
  kInternal,     // an invariant was about to break; report it
};

// The kind's wire name, for logs and JSON ("invalid", "unavailable", ...).
constexpr std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
      return "usage";
    case ErrorKind::kInvalid:
      return "invalid";
    case ErrorKind::kRefused:
      return "refused";
    case ErrorKind::kNotFound:
      return "not-found";
    case ErrorKind::kUnavailable:
      return "unavailable";
    case ErrorKind::kTimeout:
      return "timeout";
    case ErrorKind::kExhausted:
      return "exhausted";
    case ErrorKind::kSystem:
      return "system";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string code;     // stable, kebab-case, for scripts and tests: "snapshot-bad-digest"
  std::string context;  // for people: what, where, what to do next

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

// fail(ErrorKind::kInvalid, "bad-prefix", "…") converts to any Result<T>.
inline std::unexpected<Error> fail(ErrorKind kind, std::string code, std::string context = {}) {
  return std::unexpected<Error>(Error{kind, std::move(code), std::move(context)});
}
inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }

}  // namespace sallyport

// The one macro that may return: hands an error up, else yields nothing. Use SALLYPORT_TRY(auto x,
// f()) to bind.
#define SALLYPORT_TRY_CAT2(a, b) a##b
#define SALLYPORT_TRY_CAT(a, b) SALLYPORT_TRY_CAT2(a, b)
#define SALLYPORT_TRY_BIND(tmp, decl, expr)                             \
  auto tmp = (expr);                                                    \
  if (!tmp.has_value()) return std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)
#define SALLYPORT_TRY(decl, ...) \
  SALLYPORT_TRY_BIND(SALLYPORT_TRY_CAT(sallyport_try_, __COUNTER__), decl, (__VA_ARGS__))
#define SALLYPORT_TRY_VOID_NAMED(tmp, expr) \
  if (auto tmp = (expr); !tmp.has_value()) return std::unexpected(std::move(tmp).error())
#define SALLYPORT_TRY_VOID(...) \
  SALLYPORT_TRY_VOID_NAMED(SALLYPORT_TRY_CAT(sallyport_try_, __COUNTER__), (__VA_ARGS__))
