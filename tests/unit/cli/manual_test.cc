#include "control/cli/manual.h"

#include <gtest/gtest.h>

#include "control/cli/commands.h"
#include "control/cli/completion.h"
#include "tests/support/sallyctl_reads.h"
#include "tests/support/source_tree.h"

namespace sallyport::control {
namespace {

TEST(Manual, NoTextBecomesARequest) {
  EXPECT_EQ(roff_text(".so /etc/passwd"), "\\&.so /etc/passwd");
  EXPECT_EQ(roff_text("'br"), "\\&'br");
  EXPECT_EQ(roff_text("a\\fB\"-x\""), "a\\efB\\(dq\\-x\\(dq");
}

TEST(Manual, SaysWhatTheOptionsSay) {
  CLI::App app("does it");
  app.name("tool");
  std::string text = "otherwise";
  app.add_option("-f,--file", text, "the .file")->type_name("FILE")->capture_default_str();
  app.add_option("--pace", text, "")->check(CLI::IsMember({"slow", "fast"}))->required();
  CLI::App* sub = app.add_subcommand("go", "Goes\n  tool go now");
  sub->add_option("where", text, "to where")->required();
  const std::string page = manual_page(app, "1.2", "First:\n  tool go\n\n");
  for (const char* part :
       {".TH TOOL 1 \"\" \"Sallyport 1.2\"", "\n\\fB\\-f\\fR, \\fB\\-\\-file\\fR \\fIFILE\\fR\n",
        "the .file.\nDefault: \\fBotherwise\\fR.\n", "\\fI{slow,fast}\\fR\nIt must be given.",
        ".SS \"go\"\n", "\n\\fIwhere\\fR\n", ".nf\n  tool go now\n.fi", "\nFirst:\n  tool go\n.fi"})
    EXPECT_NE(page.find(part), std::string::npos) << part << "\n" << page;
}

TEST(Completion, TablesSayWhatValuesAre) {
  CLI::App app;
  std::string text;
  app.add_subcommand("it's")->add_option("--pace", text)->check(CLI::IsMember({"slow", "fast"}));
  const std::string tables = completion_tables(app);
  EXPECT_NE(tables.find("['it'\\''s --pace']='{slow,fast}'"), std::string::npos) << tables;
}

// A program that asks for JSON gets JSON, also when there is nobody to answer.
TEST(Reads, SayInJsonThatControlDoesNotRun) {
  const std::string file = source_path("tests/unit/config/example.yaml");
  const auto reads = testing::sallyctl_reads(file);
  EXPECT_GE(reads.size(), 16U);
  for (const auto& words : reads) {
    if (testing::reads_files_only(words)) continue;
    std::vector<const char*> arguments = {"sallyctl", "--json", "--run-dir", "/nonexistent"};
    std::string said;
    for (const std::string& word : words) arguments.push_back(word.c_str()), said += word + " ";
    ::testing::internal::CaptureStdout();
    const int status = sallyctl(static_cast<int>(arguments.size()), arguments.data());
    const auto out = OrderedJson::parse(::testing::internal::GetCapturedStdout(), nullptr, false);
    EXPECT_EQ(status, kExitNotRunning) << said;
    ASSERT_TRUE(out.is_object()) << said;
    EXPECT_EQ(out["ok"], false) << said;
    EXPECT_EQ(out["code"], "control-not-running") << said;
    EXPECT_EQ(out["exit"], status) << said;
  }
}

}  // namespace
}  // namespace sallyport::control
