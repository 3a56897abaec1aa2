#include "tests/perf/counted/counted.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include <array>
#include <charconv>

extern char** environ;

namespace sallyport::bench {

void begin_counting() { CALLGRIND_START_INSTRUMENTATION; }
void end_counting() { CALLGRIND_STOP_INSTRUMENTATION; }

namespace {

std::string read_all(int fd) {
  std::string out;
  std::array<char, 4096> buffer;
  for (ssize_t n = 0; (n = read(fd, buffer.data(), buffer.size())) > 0;)
    out.append(buffer.data(), static_cast<std::size_t>(n));
  return out;
}

// "==123== Collected : 4567"
std::optional<std::uint64_t> collected(const std::string& text) {
  const auto at = text.find("Collected : ");
  if (at == std::string::npos) return std::nullopt;
  std::uint64_t n = 0;
  const char* begin = text.data() + at + 12;
  const auto done = std::from_chars(begin, text.data() + text.size(), n);
  if (done.ec != std::errc{} || n == 0) return std::nullopt;
  return n;
}

}  // namespace

std::optional<std::uint64_t> count_instructions(const std::vector<std::string>& arguments) {
  std::vector<std::string> words{"valgrind", "--tool=callgrind", "--instr-atstart=no",
                                 "--callgrind-out-file=/dev/null", "/proc/self/exe"};
  std::array<char, 4096> self{};
  if (readlink("/proc/self/exe", self.data(), self.size() - 1) <= 0) return std::nullopt;
  words.back() = self.data();
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);

  std::array<int, 2> pipe{};
  if (pipe2(pipe.data(), O_CLOEXEC) != 0) return std::nullopt;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], STDERR_FILENO);
  pid_t child = 0;
  const int failed = posix_spawnp(&child, "valgrind", &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe[1]);
  if (failed != 0) {
    close(pipe[0]);
    return std::nullopt;
  }
  const std::string text = read_all(pipe[0]);
  close(pipe[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return std::nullopt;
  return collected(text);
}

}  // namespace sallyport::bench
