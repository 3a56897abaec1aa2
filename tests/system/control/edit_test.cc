// sallyctl as people and scripts use it: edit, exit codes, --json everywhere.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/system/control/daemon.h"

namespace sallyport::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class Sallyctl : public ControlDaemon {
 protected:
  void SetUp() override {
    ControlDaemon::SetUp();
    if (IsSkipped()) return;
    const Ran prepared = prepare_database();
    ASSERT_EQ(prepared.status, 0) << prepared.output;
    start_database();
    start_control();
    ASSERT_TRUE(wait_until([&] { return apply(numbered_config(1)).status == 0; }));
    fs::create_directory(folder_ + "/tmp");
  }
  // sallyctl config edit with an editor that is this script; $1 is the file.
  Ran edit(const std::string& script, std::vector<std::string> more = {"--yes"}) {
    const std::string editor = write_file("editor", "#!/bin/sh\nset -e\n" + script + "\n");
    fs::permissions(editor, fs::perms(0755));
    std::vector<std::string> arguments = {"env",
                                          "EDITOR=" + editor,
                                          "VISUAL=",
                                          "TMPDIR=" + folder_ + "/tmp",
                                          SALLYCTL_PROGRAM,
                                          "--run-dir",
                                          run_,
                                          "config",
                                          "edit"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }
  // What edit has left behind.
  std::vector<std::string> drafts() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_ + "/tmp"))
      out.push_back(read_file(entry.path()));
    return out;
  }
};

TEST_F(Sallyctl, EditShowsTheDifferenceAppliesAndLeavesNothingBehind) {
  const Ran edited =
      edit("sed -i 's/10.20.0.3 /10.20.0.77 /' \"$1\"; cp \"$1\" " + folder_ + "/seen");
  EXPECT_EQ(edited.status, 0) << edited.output;
  EXPECT_NE(edited.output.find("+  d: {"), std::string::npos) << edited.output;
  EXPECT_NE(edited.output.find("revision 2 is in force"), std::string::npos) << edited.output;
  EXPECT_EQ(text_in_force(), read_file(folder_ + "/seen"));
  EXPECT_NE(text_in_force(), numbered_config(1));
  EXPECT_TRUE(drafts().empty());
}

TEST_F(Sallyctl, EditStartsFromTheTextInForceByteForByte) {
  const std::string odd = numbered_config(3) + "# tab\there, \xc3\xbc, no newline at the end";
  ASSERT_EQ(apply(odd).status, 0);
  EXPECT_EQ(edit("cp \"$1\" " + folder_ + "/seen").status, 0);
  EXPECT_EQ(read_file(folder_ + "/seen"), odd);
  EXPECT_EQ(in_force(), 2U) << "an unchanged text is not applied";
  EXPECT_TRUE(drafts().empty());
}

TEST_F(Sallyctl, EditKeepsATextWithMistakes) {
  const Ran edited = edit("echo 'segmnts: {}' >> \"$1\"");
  EXPECT_EQ(edited.status, 3) << edited.output;
  EXPECT_NE(edited.output.find("has no key 'segmnts'; write instead: segments"), std::string::npos)
      << edited.output;
  ASSERT_EQ(drafts().size(), 1U);
  EXPECT_EQ(drafts()[0], numbered_config(1) + "segmnts: {}\n");
  EXPECT_NE(edited.output.find("your text is kept in " + folder_ + "/tmp/gateway-"),
            std::string::npos)
      << edited.output;
  EXPECT_EQ(in_force(), 1U);
}

TEST_F(Sallyctl, EditKeepsATextThatTheGatewayRefuses) {
  neighbours_->with(
      [](auto& terminator, auto&) { terminator.refuse["prepare"] = "credential-missing"; });
  const Ran edited = edit("echo '# more' >> \"$1\"");
  EXPECT_EQ(edited.status, 6) << edited.output;
  ASSERT_EQ(drafts().size(), 1U);
  EXPECT_EQ(drafts()[0], numbered_config(1) + "# more\n");
  EXPECT_EQ(in_force(), 1U);
}

TEST_F(Sallyctl, EditKeepsTheTextWhenTheEditorFailsOrNobodySaysYes) {
  EXPECT_EQ(edit("echo '# half' >> \"$1\"; exit 1").status, 8);
  EXPECT_EQ(edit("echo '# whole' >> \"$1\"", {}).status, 7);
  EXPECT_EQ(drafts().size(), 2U);
  EXPECT_EQ(in_force(), 1U);
}

TEST_F(Sallyctl, NobodyElseCommitsDuringAnEditAndAnEditorThatDiesHoldsNothing) {
  const std::string flag = folder_ + "/editing";
  const std::string script = "touch " + flag + "; while test -e " + flag + "; do :; done";
  std::optional<Ran> edited;
  std::thread editor([&] { edited = edit(script); });
  ASSERT_TRUE(wait_until([&] { return fs::exists(flag); }));
  const Ran refused = apply(numbered_config(2));
  EXPECT_EQ(refused.status, 9) << refused.output;
  EXPECT_NE(refused.output.find("root is editing the configuration (since 20"), std::string::npos)
      << refused.output;
  EXPECT_NE(ctl({"status"}).output.find("root is editing the configuration"), std::string::npos);
  EXPECT_EQ(apply(numbered_config(2), {"--take-over"}).status, 0);
  fs::remove(flag);
  editor.join();
  EXPECT_EQ(edited->status, 0) << edited->output;  // it had changed nothing
  EXPECT_EQ(apply(numbered_config(3)).status, 0);
}

TEST_F(Sallyctl, AnEditThatWasOvertakenIsRefusedAndKept) {
  const std::string other = write_file("other.yaml", numbered_config(7));
  const Ran edited =
      edit(fmt::format("echo '# mine' >> \"$1\"; {} --run-dir {} config apply --take-over {}",
                       SALLYCTL_PROGRAM, run_, other));
  EXPECT_EQ(edited.status, 9) << edited.output;
  EXPECT_NE(edited.output.find("has come into force since revision 1 was read"), std::string::npos)
      << edited.output;
  EXPECT_EQ(text_in_force(), numbered_config(7));
  EXPECT_EQ(drafts().size(), 1U);
}

TEST_F(Sallyctl, ConfirmedCommitsOnTheCommandLine) {
  const Ran tried = apply(numbered_config(2), {"--confirm-within", "10m"});
  EXPECT_EQ(tried.status, 0) << tried.output;
  EXPECT_NE(tried.output.find("goes back by itself at 20"), std::string::npos) << tried.output;
  EXPECT_NE(ctl({"status"}).output.find("goes back by itself at 20"), std::string::npos);
  EXPECT_EQ(ctl({"config", "confirm"}).status, 0);
  EXPECT_EQ(ctl({"config", "confirm"}).status, 6);
  EXPECT_EQ(apply(numbered_config(3), {"--confirm-within", "soon"}).status, 2);
  // A real clock: it goes back, and stays back when control is killed in between.
  EXPECT_EQ(apply(numbered_config(3), {"--confirm-within", "1s"}).status, 0);
  kill_control();
  start_control();
  EXPECT_TRUE(wait_until([&] { return text_in_force() == numbered_config(2); }));
  EXPECT_EQ(read({"config", "history"})[2]["state"], "reverted");
}

TEST_F(Sallyctl, AStrangerReadsAndDoesNotWrite) {
  const auto as_nobody = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"setpriv", "--reuid=65534", "--regid=65534",
                                         "--clear-groups", SALLYCTL_PROGRAM, "--run-dir", run_});
    return run(arguments);
  };
  const std::string file = write_file("offer.yaml", numbered_config(2));
  EXPECT_EQ(as_nobody({"status"}).status, 0);
  EXPECT_EQ(as_nobody({"config", "history"}).status, 0);
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"config", "apply", file},
                                             {"config", "rollback"},
                                             {"config", "confirm"},
                                             {"config", "edit"}})
    EXPECT_EQ(as_nobody(words).status, 5) << words[1];
  EXPECT_EQ(in_force(), 1U);
}

TEST_F(Sallyctl, EveryReadIsJsonWhenAsked) {
  neighbours_->with([](auto& terminator, auto& dataplane) {
    terminator.answer = dataplane.answer = [](const wire::Query&) { return "[]"; };
  });
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{
           {"status"},
           {"version"},
           {"crypto"},
           {"config", "history"},
           {"config", "show"},
           {"show", "ports"},
           {"show", "segments"},
           {"show", "devices"},
           {"show", "conduits"},
           {"show", "events"},
           {"show", "quarantine"},
           {"show", "flows"},
           {"show", "drops"},
           {"show", "counters"},
           {"show", "neighbours"},
           {"show", "sessions"},
           {"explain", "--in", "field", "10.20.0.5", "10.20.0.6:502", "tcp"}}) {
    const json answer = read(words);
    EXPECT_TRUE(answer.is_object() || answer.is_array()) << words.back();
  }
  EXPECT_EQ(read({"config", "show"})["text"], numbered_config(1));
}

TEST_F(Sallyctl, EachFailureHasItsOwnStatus) {
  EXPECT_EQ(ctl({"config", "show", "77"}).status, 2);
  EXPECT_EQ(ctl({"config", "diff", write_file("same.yaml", numbered_config(1))}).status, 0);
  EXPECT_EQ(ctl({"config", "diff", write_file("other.yaml", numbered_config(2))}).status, 1);
  EXPECT_EQ(apply("").status, 3);
  EXPECT_EQ(ctl({"config", "apply", "/nonexistent"}).status, 8);
  EXPECT_EQ(apply(numbered_config(2), {"--base", "9"}).status, 9);
  std::string ports = numbered_config(2);
  ports.replace(ports.find("net_null0"), 9, "net_null1");
  EXPECT_EQ(apply(ports).status, 7);
  kill_database();
  ASSERT_TRUE(wait_until([&] { return read({"status"})["database"]["connected"] == false; }));
  EXPECT_EQ(apply(numbered_config(2)).status, 4);
  kill_control();
  EXPECT_EQ(ctl({"status"}).status, 4);
}

}  // namespace
}  // namespace sallyport::testing
