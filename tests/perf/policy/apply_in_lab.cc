#include "tests/perf/policy/apply_in_lab.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/source_tree.h"

namespace sallyport::bench {
namespace {

// Of a program with these arguments; nothing is interpreted by a shell.
int run(const std::vector<std::string>& arguments) {
  const pid_t child = fork();
  if (child == 0) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments)
      argv.push_back(const_cast<char*>(argument.c_str()));
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) return 127;
  return WEXITSTATUS(status);
}

}  // namespace

Applied apply_in_lab(const std::string& plant, std::size_t rounds) {
  Applied out;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  const auto build = self.parent_path().parent_path();
  std::string results = std::filesystem::temp_directory_path() / "sallyport-bench-XXXXXX";
  const int file = mkstemp(results.data());
  if (file < 0) {
    out.problem = "no temporary file";
    return out;
  }
  close(file);
  const int status = run({"/usr/bin/python3", source_path("tests/perf/policy/apply_in_lab.py"),
                          build.string(), self.string(), plant, std::to_string(rounds), results});
  std::ifstream stream(results);
  const auto json = nlohmann::json::parse(stream, nullptr, false);
  std::filesystem::remove(results);
  if (status != 0 || !json.is_object()) {
    out.problem = fmt::format("apply_in_lab.py ended with {}", status);
    return out;
  }
  for (const auto& [key, list] :
       {std::pair("check_ms", &out.check_ms), std::pair("apply_ms", &out.apply_ms),
        std::pair("commit_ms", &out.commit_ms),
        std::pair("longest_answer_ms", &out.longest_answer_ms)})
    for (const auto& value : json.value(key, nlohmann::json::array()))
      list->push_back(value.get<double>());
  if (out.commit_ms.empty()) out.problem = json.value("problem", "no round was made");
  return out;
}

}  // namespace sallyport::bench
