#include "tests/system/control/daemon.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "policy/wire/digest.h"

namespace sallyport::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

void become_control_user() {
  // After fork: system calls only.
  if (::setresgid(kControlUser, kControlUser, kControlUser) != 0 ||
      ::setresuid(kControlUser, kControlUser, kControlUser) != 0)
    ::_exit(126);
}

void append_output(const std::string& path) {
  const int log = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
}

std::string digest(const std::string& text) { return wire::to_hex(wire::sha256(text)); }

std::string sized(const json& row, const char* column) {
  const std::string text = row[column];
  return std::to_string(text.size()) + ":" + text;
}

}  // namespace

Neighbours::Neighbours(const std::string& run_dir)
    : setup_(run_dir + "/setup/socket"),
      terminator_(run_dir + "/terminator/socket", "terminator", journal_),
      dataplane_(run_dir + "/dataplane/socket", "dataplane", journal_),
      thread_([this] { serve(); }) {}

Neighbours::~Neighbours() {
  stop_ = true;
  thread_.join();
}

void Neighbours::on_request(std::function<void(const std::string&)> seen) {
  const std::lock_guard lock(mutex_);
  seen_ = std::move(seen);
}

void Neighbours::serve() {
  while (!stop_) {
    {
      const std::lock_guard lock(mutex_);
      setup_.run();
      terminator_.run();
      dataplane_.run();
      for (; setup_told_ < setup_.log.size(); ++setup_told_)
        if (seen_) seen_("setup " + setup_.log[setup_told_]);
      for (; told_ < journal_.size(); ++told_)
        if (seen_) seen_(journal_[told_]);
    }
    ::poll(nullptr, 0, 1);
  }
}

void ControlDaemon::SetUp() {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  std::string name = "/tmp/sallyport-control-XXXXXX";
  ASSERT_NE(::mkdtemp(name.data()), nullptr);
  folder_ = name;
  run_ = folder_ + "/run";
  state_ = folder_ + "/state";
  fs::permissions(folder_, fs::perms(0755));
  for (const char* part : {"setup", "terminator", "dataplane", "control", "db"})
    fs::create_directories(run_ + "/" + part);
  fs::create_directories(state_);
  for (const std::string& path : {run_ + "/control", run_ + "/db", state_})
    ASSERT_EQ(::chown(path.c_str(), kControlUser, kControlUser), 0);
  neighbours_.emplace(run_);
}

void ControlDaemon::TearDown() {
  control_.reset();
  database_.reset();
  neighbours_.reset();
  if (HasFailure() && !folder_.empty())
    std::ifstream(folder_ + "/control.log") >> std::cerr.rdbuf();
  if (!folder_.empty()) fs::remove_all(folder_);
}

Ran ControlDaemon::prepare_database() {
  return run({CONTROL_PROGRAM, "--create-database", "--state-dir", state_, "--user",
              std::to_string(kControlUser)});
}

void ControlDaemon::start_database() {
  fs::remove(run_ + "/db/ctl");
  database_.emplace(
      std::vector<std::string>{"ovsdb-server", "--remote=punix:" + run_ + "/db/socket",
                               "--unixctl=" + run_ + "/db/ctl", "--no-chdir", "-vconsole:off",
                               state_ + "/gateway.db"},
      become_control_user);
  ASSERT_TRUE(wait_until([&] { return fs::exists(run_ + "/db/ctl"); }));
}

void ControlDaemon::kill_database() {
  database_->signal(SIGKILL);
  ASSERT_TRUE(database_->wait(std::chrono::seconds(5)));
}

void ControlDaemon::start_control(const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {CONTROL_PROGRAM,
                                        "--run-dir",
                                        run_,
                                        "--state-dir",
                                        state_,
                                        "--config",
                                        folder_ + "/gateway.yaml",
                                        "--user",
                                        std::to_string(kControlUser)};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const std::string log = folder_ + "/control.log";
  control_.emplace(arguments, [&log] { append_output(log); });
}

void ControlDaemon::kill_control() {
  control_->signal(SIGKILL);
  ASSERT_TRUE(control_->wait(std::chrono::seconds(5)));
}

Ran ControlDaemon::ctl(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {SALLYCTL_PROGRAM, "--run-dir", run_});
  return run(arguments);
}

json ControlDaemon::read(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "--json");
  const Ran ran = ctl(std::move(arguments));
  json out = ran.status == 0 ? json::parse(ran.output, nullptr, false) : json();
  return out.is_structured() ? out : json::object();
}

std::string ControlDaemon::write_file(const std::string& name, const std::string& text) const {
  std::ofstream(folder_ + "/" + name) << text;
  return folder_ + "/" + name;
}

Ran ControlDaemon::apply(const std::string& text, std::vector<std::string> more) {
  more.insert(more.begin(), {"config", "apply", write_file("offer.yaml", text)});
  return ctl(std::move(more));
}

std::optional<std::uint64_t> ControlDaemon::in_force() {
  std::optional<std::uint64_t> found;
  wait_until([&] {
    const json status = read({"status"});
    if (status.value("state", "") != "in-force") return false;
    const auto revision = status.value("revision", std::uint64_t{0});
    const bool everywhere = neighbours_->with([&](auto& terminator, auto& dataplane) {
      return terminator.in_force == revision && dataplane.in_force == revision;
    });
    if (everywhere) found = revision;
    return everywhere;
  });
  return found;
}

std::string ControlDaemon::text_in_force() { return ctl({"config", "show"}).output; }

std::vector<std::string> ControlDaemon::events(const std::string& kind) {
  std::vector<std::string> out;
  const json all = read({"show", "events", "--limit", "1000"});
  if (!all.is_array()) return out;
  for (const json& event : all)
    if (event["kind"] == kind) out.push_back(event["detail"].dump());
  return out;
}

json ControlDaemon::rows(const std::string& table) {
  const Ran ran = run({"ovsdb-client", "transact", "unix:" + run_ + "/db/socket",
                       R"(["Sallyport",{"op":"select","table":")" + table + R"(","where":[]}])"});
  const json answer = json::parse(ran.output, nullptr, false);
  return answer.is_array() ? answer[0].value("rows", json::array()) : json::array();
}

// The dumb twin of control/app/history.cc, from docs/reference/schema.md.
std::string ControlDaemon::chain_problem() {
  // Both tables as of one moment.
  const Ran ran = run({"ovsdb-client", "transact", "unix:" + run_ + "/db/socket",
                       R"(["Sallyport",{"op":"select","table":"Revision","where":[]},)"
                       R"({"op":"select","table":"Gateway","where":[]}])"});
  const json answer = json::parse(ran.output, nullptr, false);
  if (!answer.is_array() || answer.size() != 2) return ran.output;
  std::map<std::uint64_t, json> revisions;
  for (const json& row : answer[0]["rows"]) revisions[row["number"]] = row;
  std::string head;
  bool first = true;
  for (const auto& [number, row] : revisions) {
    if (digest(row["text"]) != row["sha256"].get<std::string>())
      return fmt::format("text of {}", number);
    if (row["previous"].get<std::string>() != head && !(first && number != 1))
      return fmt::format("link before {}", number);
    std::string link = row["previous"];
    link += "\n" + row["number"].dump() + "\n" + row["time"].dump() + "\n" + sized(row, "user") +
            "\n" + sized(row, "comment") + "\n" + row["sha256"].get<std::string>() + "\n" +
            row["window"].dump();
    if (digest(link) != row["chain"].get<std::string>()) return fmt::format("chain of {}", number);
    head = digest(row["chain"].get<std::string>() + "\n" + row["state"].get<std::string>() + "\n" +
                  sized(row, "confirmed_by") + "\n" + sized(row, "boot") + "\n" +
                  row["deadline"].dump());
    first = false;
  }
  const json& gateway = answer[1]["rows"];
  if (gateway.size() != 1 || gateway[0]["head"] != head) return "head";
  return {};
}

std::string numbered_config(int number) {
  return fmt::format(
      "version: 1  # {}\n"
      "ports: {{ lan1: {{ device: \"net_null0\" }} }}\n"
      "segments: {{ field: {{ ports: [lan1], address: 10.20.0.1/24, mac: \"02:00:00:00:00:02\" }} "
      "}}\n"
      "devices:\n"
      "  d: {{ segment: field, port: lan1, mac: \"02:00:00:00:20:05\", address: 10.20.0.{} }}\n",
      number, 2 + number % 250);
}

}  // namespace sallyport::testing
