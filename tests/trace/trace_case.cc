#include "tests/trace/trace_case.h"

#include <fmt/core.h>

#include <fstream>
#include <sstream>

namespace sallyport::testing {

Result<std::vector<TraceCase>> load_trace(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(ErrorKind::kNotFound, "trace-file", path);
  std::vector<TraceCase> cases;
  std::string text;
  for (unsigned number = 1; std::getline(file, text); ++number) {
    std::istringstream words(text.substr(0, text.find('#')));
    TraceLine line{number, {}};
    for (std::string word; words >> word;) line.words.push_back(word);
    if (line.words.empty()) continue;
    if (line.words[0] == "name") {
      const auto at = text.find_first_not_of(' ', 4);
      cases.push_back({text.substr(at), number, true, true, {}});
      continue;
    }
    if (cases.empty())
      return fail(ErrorKind::kInvalid, "trace-file",
                  fmt::format("{}:{}: no name yet", path, number));
    if (line.words[0] == "only" && line.words.size() == 2) {
      cases.back().v4 = line.words[1] == "v4";
      cases.back().v6 = line.words[1] == "v6";
      continue;
    }
    cases.back().lines.push_back(std::move(line));
  }
  return cases;
}

}  // namespace sallyport::testing
