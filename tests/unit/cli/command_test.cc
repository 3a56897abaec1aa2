#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "control/cli/config.h"
#include "control/config/values.h"
#include "tests/support/source_tree.h"

namespace sallyport::control {
namespace {

int run(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "sallyctl");
  return sallyctl(static_cast<int>(arguments.size()), arguments.data());
}

class Files : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sallyctl-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& text) {
    const std::string path = folder_ + "/gateway.yaml";
    std::ofstream(path) << text;
    return path;
  }
  std::string folder_;
};

TEST_F(Files, CheckNeedsNoGatewayAndTellsMistakesByItsExitCode) {
  testing::internal::CaptureStdout();
  EXPECT_EQ(run({"config", "check", source_path("tests/unit/config/example.yaml").c_str()}),
            kExitDone);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("no mistakes"), std::string::npos);
  const std::string bad_file = write("version: 1\nports: {}\nsegmnts: {}\n");
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"config", "check", bad_file.c_str()}), kExitMistakes);
  EXPECT_NE(testing::internal::GetCapturedStderr().find(
                bad_file + ":3:1: the configuration has no key 'segmnts'; write instead: segments"),
            std::string::npos);
}

TEST_F(Files, MistakesAreJsonToo) {
  const std::string bad_file = write("version: 2\n");
  testing::internal::CaptureStdout();
  EXPECT_EQ(run({"--json", "config", "check", bad_file.c_str()}), kExitMistakes);
  const auto out = OrderedJson::parse(testing::internal::GetCapturedStdout(), nullptr, false);
  ASSERT_TRUE(out.is_object());
  EXPECT_EQ(out["ok"], false);
  EXPECT_EQ(out["mistakes"][0]["line"], 1);
}

TEST_F(Files, ControlThatIsNotRunningIsSaidWithTheNextStep) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"--run-dir", folder_.c_str(), "status"}), kExitNotRunning);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("next: systemctl status"),
            std::string::npos);
}

TEST_F(Files, EachKindOfFailureHasItsOwnExitCode) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"config", "check", "/nonexistent/gateway.yaml"}), kExitSystem);
  EXPECT_EQ(run({"no-such-command"}), kExitUsage);
  EXPECT_EQ(run({}), kExitUsage);
  EXPECT_EQ(run({"explain", "--in", "x", "nonsense", "10.0.0.1", "tcp"}), kExitUsage);
  testing::internal::GetCapturedStderr();
  EXPECT_EQ(exit_code({ErrorKind::kRefused, "not-permitted", ""}), kExitNotPermitted);
  EXPECT_EQ(exit_code({ErrorKind::kRefused, "confirmation-needed", ""}), kExitConfirm);
  EXPECT_EQ(exit_code({ErrorKind::kRefused, "certificate-missing", ""}), kExitRefused);
}

TEST_F(Files, AFileThatIsBeingWrittenIsNotRead) {
  const std::string path = write("version: 1\n");
  std::ofstream writer(path, std::ios::app);  // an editor, a copy over the network
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"config", "check", path.c_str()}), kExitSystem);
  EXPECT_EQ(run({"config", "apply", path.c_str()}), kExitSystem);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("is being written by another process"),
            std::string::npos);
  writer.close();
  testing::internal::CaptureStderr();
  EXPECT_EQ(run({"config", "check", path.c_str()}), kExitMistakes);
  testing::internal::GetCapturedStderr();
}

TEST(ExitCodes, AreDistinctAndAllDocumentedInHelpAndReference) {
  std::map<int, std::string> seen;
#define SALLYPORT_EXIT_CODE(name, value, help) \
  EXPECT_TRUE(seen.emplace(value, help).second) << #name;
  SALLYPORT_EXIT_CODES(SALLYPORT_EXIT_CODE)
#undef SALLYPORT_EXIT_CODE
  testing::internal::CaptureStdout();
  EXPECT_EQ(run({"--help"}), kExitDone);
  const std::string help = testing::internal::GetCapturedStdout();
  const std::string reference = all_help();
  for (const auto& [value, text] : seen) {
    EXPECT_NE(help.find(std::to_string(value) + "  " + text), std::string::npos) << value;
    EXPECT_NE(reference.find("| " + std::to_string(value) + " | " + text), std::string::npos);
  }
}

TEST(ExitCodes, ReferenceNamesEverySubcommandWithItsRealUsage) {
  const std::string reference = all_help();
  for (const char* usage :
       {"Usage: sallyctl [OPTIONS] SUBCOMMAND", "Usage: sallyctl config apply [OPTIONS] [file]",
        "Usage: sallyctl config confirm [OPTIONS]",
        "Usage: sallyctl config rollback [OPTIONS] [number]",
        "Usage: sallyctl config edit [OPTIONS]", "Usage: sallyctl show quarantine [OPTIONS]"})
    EXPECT_NE(reference.find(usage), std::string::npos) << usage;
}

TEST(Durations, HaveAUnitAndABound) {
  EXPECT_EQ(parse_duration("90"), 90);
  EXPECT_EQ(parse_duration("90s"), 90);
  EXPECT_EQ(parse_duration("10m"), 600);
  EXPECT_EQ(parse_duration("2h"), 7200);
  EXPECT_EQ(parse_duration("7d"), 7 * 86'400);
  for (const char* text : {"", "s", "0", "-1", "1.5h", "8d", "10 m", "10min",
                           "99999999999999999999", "9223372036854775807d"})
    EXPECT_FALSE(parse_duration(text)) << text;
}

TEST(Endpoints, PortsAreOptionalAndIpv6PortsNeedBrackets) {
  EXPECT_EQ(parse_endpoint("10.0.0.1:80")->port, "80");
  EXPECT_EQ(parse_endpoint("10.0.0.1")->port, "");
  EXPECT_EQ(parse_endpoint("fd00::5:80")->address, "fd00::5:80");
  EXPECT_EQ(parse_endpoint("[fd00::5]:80")->address, "fd00::5");
  EXPECT_EQ(parse_endpoint("[fd00::5]:80")->port, "80");
  for (const char* text : {"", "press4", "10.0.0.1:", "10.0.0.1:x", "[fd00::5", "[fd00::5]80",
                           "[10.0.0.1]:", "10.0.0.1:123456"})
    EXPECT_FALSE(parse_endpoint(text)) << text;
}

std::string block(std::uint32_t type, std::uint32_t size) {
  std::string out(size, '\0');
  std::memcpy(out.data(), &type, sizeof type);
  std::memcpy(out.data() + 4, &size, sizeof size);
  std::memcpy(out.data() + size - 4, &size, sizeof size);
  return out;
}

TEST(Capture, CountKeepsTheFirstPacketsAndAllElse) {
  const std::string head = block(0x0a0d0d0a, 28) + block(1, 20);
  const std::string file = head + block(6, 32) + block(6, 36) + block(5, 24) + block(6, 40);
  EXPECT_EQ(keep_packets(file, 2), head + block(6, 32) + block(6, 36) + block(5, 24));
  EXPECT_EQ(keep_packets(file, 100), file);
  EXPECT_EQ(keep_packets(file.substr(0, file.size() - 1), 100).size(), file.size() - 40);
  EXPECT_EQ(keep_packets(head + std::string(12, '\0'), 1), head) << "a length of 0 must not loop";
}

}  // namespace
}  // namespace sallyport::control
