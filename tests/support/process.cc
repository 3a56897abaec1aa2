#include "tests/support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <utility>

#include "policy/os/fd.h"

namespace sallyport::testing {
namespace {

std::vector<char*> argument_vector(const std::vector<std::string>& arguments) {
  std::vector<char*> out;
  for (const std::string& argument : arguments) out.push_back(const_cast<char*>(argument.c_str()));
  out.push_back(nullptr);
  return out;
}

[[noreturn]] void become(char* const* arguments) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::execvp(arguments[0], arguments);
  std::perror(arguments[0]);
  ::_exit(127);
}

int code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

pid_t started(pid_t pid, const std::string& program) {
  if (pid < 0) throw std::runtime_error("cannot start " + program);
  return pid;
}

}  // namespace

Ran run(const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const os::UniqueFd reader(ends[0]);
  os::UniqueFd writer(ends[1]);
  auto vector = argument_vector(arguments);
  const pid_t pid = started(::fork(), arguments[0]);
  if (pid == 0) {
    ::dup2(writer.get(), STDOUT_FILENO);
    ::dup2(writer.get(), STDERR_FILENO);
    become(vector.data());
  }
  writer.reset();
  Ran out;
  std::array<char, 4096> buffer{};
  for (ssize_t size = 0; (size = ::read(reader.get(), buffer.data(), buffer.size())) > 0;)
    out.output.append(buffer.data(), static_cast<std::size_t>(size));
  int status = 0;
  ::waitpid(pid, &status, 0);
  out.status = code_of(status);
  return out;
}

std::string must_run(const std::vector<std::string>& arguments) {
  Ran ran = run(arguments);
  if (ran.status != 0) {
    std::string line;
    for (const std::string& argument : arguments) line += argument + " ";
    throw std::runtime_error(line + ": " + ran.output);
  }
  return std::move(ran.output);
}

Process::Process(const std::vector<std::string>& arguments, const std::function<void()>& prepare) {
  auto vector = argument_vector(arguments);
  pid_ = started(::fork(), arguments[0]);
  if (pid_ != 0) return;
  if (prepare) prepare();
  become(vector.data());
}

Process::Process(Process&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}

Process& Process::operator=(Process&& other) noexcept {
  std::swap(pid_, other.pid_);
  return *this;
}

Process::~Process() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Process::signal(int number) const {
  if (pid_ > 0) ::kill(pid_, number);
}

std::optional<int> Process::wait(std::chrono::milliseconds longest) {
  const os::UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  pollfd entry = {handle.get(), POLLIN, 0};
  if (::poll(&entry, 1, static_cast<int>(longest.count())) != 1) return std::nullopt;
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return code_of(status);
}

bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds longest) {
  const auto end = std::chrono::steady_clock::now() + longest;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

}  // namespace sallyport::testing
