// Every tests/trace/cases/*.trace as tests of their own, in both IP versions and by one worker, two
// and three: whoever reads a packet, what becomes of it is the same.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>

#include "tests/support/source_tree.h"
#include "tests/trace/trace_runner.h"

namespace sallyport::testing {
namespace {

class TraceTest : public ::testing::Test {
 public:
  TraceTest(std::string file, TraceCase trace, IpVersion version, std::size_t workers)
      : file_(std::move(file)), trace_(std::move(trace)), version_(version), workers_(workers) {}
  void TestBody() override {
    SCOPED_TRACE(fmt::format("{}:{}: {}", file_, trace_.line, trace_.name));
    const std::uint32_t before = test_pool().free_count();
    TraceRunner(file_, trace_, version_, workers_).run();
    EXPECT_EQ(test_pool().free_count(), before) << "packets leak";
  }

 private:
  std::string file_;
  TraceCase trace_;
  IpVersion version_;
  std::size_t workers_;
};

std::string as_test_name(std::string text) {
  std::ranges::replace_if(text, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return text;
}

int register_case(const std::filesystem::path& file, const TraceCase& trace) {
  int count = 0;
  for (std::size_t workers = 1; workers <= 3; ++workers) {
    for (const IpVersion version : {IpVersion::k4, IpVersion::k6}) {
      if (version == IpVersion::k4 ? !trace.v4 : !trace.v6) continue;
      const std::string name =
          fmt::format("{}_{}{}", as_test_name(trace.name), version == IpVersion::k4 ? "v4" : "v6",
                      workers == 1 ? "" : fmt::format("_workers{}", workers));
      ::testing::RegisterTest(
          as_test_name(file.stem().string()).c_str(), name.c_str(), nullptr, nullptr, file.c_str(),
          static_cast<int>(trace.line),
          [f = file.filename().string(), trace, version, workers]() -> ::testing::Test* {
            return new TraceTest(f, trace, version, workers);
          });
      ++count;
    }
  }
  return count;
}

int register_all() {
  const std::filesystem::path folder = source_path("tests/trace/cases");
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  std::ranges::sort(files);
  int count = 0;
  for (const auto& file : files) {
    const auto cases = load_trace(file.string());
    if (!cases) {
      fmt::print(stderr, "{}\n", cases.error().context);
      return 0;
    }
    for (const TraceCase& trace : *cases) count += register_case(file, trace);
  }
  return count;
}

}  // namespace
}  // namespace sallyport::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (sallyport::testing::register_all() == 0) return 1;
  return RUN_ALL_TESTS();
}
