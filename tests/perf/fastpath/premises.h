// What the bench takes from the machine and gives back, however it ends: hugepages, a folder in
// memory, and the processes that it starts.
//
// Needs root. One at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sallyport::bench {

class Premises {
 public:
  // Sees to it that so many megabytes of hugepages are there. Throws std::runtime_error when the
  // folder cannot be made.
  explicit Premises(std::uint32_t hugepages_mb);
  // As many hugepages as before; no folder.
  ~Premises();
  Premises(const Premises&) = delete;
  Premises& operator=(const Premises&) = delete;

  const std::string& folder() const { return folder_; }
  // Runs `work` in a child and returns what it returned, or 128 + signal. SIGINT, SIGTERM and
  // SIGHUP end the child; when this returns, no process that it started is left.
  int run(const std::function<int()>& work) const;

 private:
  std::uint32_t pages_before_ = 0;
  std::string folder_;
};

}  // namespace sallyport::bench
