// golden/*.yaml are configurations with mistakes; golden/*.errors are, word for word, what an
// operator reads. `SALLYPORT_UPDATE_GOLDEN=1 unit_config` writes them anew; the difference is then
// reviewed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/config/load.h"
#include "tests/support/source_tree.h"

namespace sallyport::control {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<fs::path> cases() {
  std::vector<fs::path> out;
  const fs::path folder = source_path("tests/unit/config/golden");
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".yaml") out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

class Golden : public testing::TestWithParam<fs::path> {};

TEST_P(Golden, ErrorsReadAsReviewed) {
  const fs::path& path = GetParam();
  const auto loaded = load_config(read_file(path));
  ASSERT_FALSE(loaded) << path << " has no mistake";
  const std::string seen = format_problems(path.filename().string(), loaded.error());
  fs::path expected = path;
  expected.replace_extension(".errors");
  if (std::getenv("SALLYPORT_UPDATE_GOLDEN") != nullptr) std::ofstream(expected) << seen;
  EXPECT_EQ(seen, read_file(expected));
}

// file:line:column, what is wrong, and what to write instead: in each line, whatever is wrong.
TEST_P(Golden, EachProblemHasAPlaceAndSaysWhatToWriteInstead) {
  const auto loaded = load_config(read_file(GetParam()));
  ASSERT_FALSE(loaded);
  for (const model::Diagnostic& problem : loaded.error()) {
    EXPECT_NE(problem.at.line, 0U) << problem.message;
    EXPECT_NE(problem.at.column, 0U) << problem.message;
    EXPECT_NE(problem.hint, "") << problem.message;
    EXPECT_NE(problem.code, "") << problem.message;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, Golden, testing::ValuesIn(cases()), [](const auto& test) {
  std::string name = test.param.stem().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace sallyport::control
