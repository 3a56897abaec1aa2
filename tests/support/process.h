// Programs that tests start, by argument vector, never through a shell.
//
// A Process is killed when its object goes, and by the kernel when the test itself dies. Failures
// to start abort the test with the program's name.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::testing {

// Runs to its end; what it wrote to standard output and standard error together.
struct Ran {
  int status = -1;  // exit code, or 128 + signal
  std::string output;
};
Ran run(const std::vector<std::string>& arguments);
// The same, throwing std::runtime_error with the output unless it exits 0.
std::string must_run(const std::vector<std::string>& arguments);

class Process {
 public:
  // `prepare` runs in the child before exec: system calls only.
  explicit Process(const std::vector<std::string>& arguments,
                   const std::function<void()>& prepare = {});
  Process(Process&& other) noexcept;
  Process& operator=(Process&& other) noexcept;
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  // Its exit code, or 128 + signal; nothing if it still runs at the deadline.
  std::optional<int> wait(std::chrono::milliseconds longest);

 private:
  pid_t pid_ = -1;
};

// Asks again and again until the condition holds; false at the deadline.
bool wait_until(const std::function<bool()>& condition,
                std::chrono::milliseconds longest = std::chrono::seconds(10));

}  // namespace sallyport::testing
