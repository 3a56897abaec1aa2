// What an operation of setup came to: a value, or the errno that its requester gets and the words
// for the log. The setup protocol speaks errno, so errno is what travels here.
//
// Values; any thread.
#pragma once

#include <cerrno>
#include <expected>
#include <string>
#include <utility>

namespace sallyport::setup {

struct Failure {
  int error = EIO;      // errno, never 0
  std::string subject;  // what failed: a call, a file, a field
};

template <class T>
using Outcome = std::expected<T, Failure>;

inline std::unexpected<Failure> failed(int error, std::string subject) {
  return std::unexpected<Failure>(Failure{error, std::move(subject)});
}

}  // namespace sallyport::setup
