// What every read of sallyctl promises of a running control: JSON when asked for, and text without.
#include <fstream>

#include "tests/support/sallyctl_reads.h"
#include "tests/system/control/daemon.h"

namespace sallyport::testing {
namespace {

using nlohmann::json;

class Reads : public ControlDaemon {
 protected:
  void SetUp() override {
    ControlDaemon::SetUp();
    if (IsSkipped()) return;
    ASSERT_EQ(prepare_database().status, 0);
    start_database();
    start_control();
    ASSERT_TRUE(wait_until([&] { return apply(numbered_config(3)).status == 0; }));
    file_ = folder_ + "/offer.yaml";
  }
  std::string file_;
};

TEST_F(Reads, EachAnswersJsonAndText) {
  for (const std::vector<std::string>& words : sallyctl_reads(file_)) {
    std::string said;
    for (const std::string& word : words) said += word + " ";
    SCOPED_TRACE(said);
    std::vector<std::string> as_json = words;
    as_json.emplace_back("--json");
    const Ran answered = ctl(as_json);
    EXPECT_EQ(answered.status, 0) << answered.output;
    const json parsed = json::parse(answered.output, nullptr, false);
    EXPECT_TRUE(parsed.is_structured()) << answered.output;
    const Ran shown = ctl(words);
    EXPECT_EQ(shown.status, 0) << shown.output;
    EXPECT_FALSE(json::accept(shown.output)) << shown.output;
  }
}

// The completion that is installed, asking the control that runs.
TEST_F(Reads, BashCompletesTheirNames) {
  const auto complete = [&](const std::string& line) {
    return run({"bash", "--norc", "-c",
                "source '" COMPLETION "'; COMP_WORDS=('" SALLYCTL_PROGRAM "' --run-dir '" + run_ +
                    "' " + line +
                    "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _sallyctl \"${COMP_WORDS[0]}\"; "
                    "printf '%s ' \"${COMPREPLY[@]}\""})
        .output;
  };
  EXPECT_EQ(complete("prove --from ''"), "gateway virtual field d ");
  EXPECT_EQ(complete("explain --in f"), "field ");
  EXPECT_EQ(complete("config show ''"), "1 ");
  kill_control();
  EXPECT_EQ(complete("explain --in f"), " ");
}

}  // namespace
}  // namespace sallyport::testing
