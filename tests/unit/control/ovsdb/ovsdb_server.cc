#include "tests/unit/control/ovsdb/ovsdb_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "control/schema/schema_text.h"
#include "policy/base/check.h"

namespace sallyport::test {
namespace {

std::vector<char*> to_argv(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  return argv;
}

}  // namespace

std::string run_program(const std::vector<std::string>& arguments) {
  int out[2];
  SALLYPORT_CHECK(pipe2(out, O_CLOEXEC) == 0);
  const pid_t child = fork();
  if (child == 0) {
    dup2(out[1], STDOUT_FILENO);
    execvp(arguments[0].c_str(), to_argv(arguments).data());
    _exit(127);
  }
  close(out[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t n = 0; (n = read(out[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(n));
  close(out[0]);
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? text + "\n" : "";
}

OvsdbServer::OvsdbServer() {
  char name[] = "/tmp/sallyport-ovsdb-XXXXXX";
  SALLYPORT_CHECK(mkdtemp(name) != nullptr);
  folder_ = name;
  available_ = !run_program({"ovsdb-server", "--version"}).empty();
  if (!available_) return;
  std::ofstream(folder_ + "/schema") << control::schema_text();
  available_ = !run_program({"ovsdb-tool", "create", folder_ + "/db", folder_ + "/schema"}).empty();
}

OvsdbServer::~OvsdbServer() {
  stop();
  std::filesystem::remove_all(folder_);
}

void OvsdbServer::start() {
  pid_ = fork();
  if (pid_ == 0) {
    // Also when the test is killed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGXFSZ, SIG_IGN);  // a full disk is an error, not the end
    const std::vector<std::string> arguments = {"ovsdb-server",
                                                "--remote=punix:" + folder_ + "/db.sock",
                                                "--unixctl=" + folder_ + "/ctl",
                                                "--no-chdir",
                                                "-vconsole:off",
                                                folder_ + "/db"};
    execvp(arguments[0].c_str(), to_argv(arguments).data());
    _exit(127);
  }
  // A client that comes too early comes back only after a second.
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (access((folder_ + "/ctl").c_str(), F_OK) != 0 && std::chrono::steady_clock::now() < end)
    poll(nullptr, 0, 2);
}

void OvsdbServer::stop() {
  if (pid_ < 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void OvsdbServer::freeze() const { kill(pid_, SIGSTOP); }
void OvsdbServer::thaw() const { kill(pid_, SIGCONT); }

std::uint64_t OvsdbServer::file_size() const { return std::filesystem::file_size(file()); }

std::vector<std::string> OvsdbServer::records() const {
  std::vector<std::string> out;
  for (const std::string& line : lines(run_program({"ovsdb-tool", "-mm", "show-log", file()})))
    if (line.starts_with("record "))
      out.emplace_back();
    else if (!out.empty())
      out.back() += line + "\n";
  return out;
}

void OvsdbServer::limit_file(std::uint64_t bytes) const {
  const rlimit limit = {bytes, RLIM_INFINITY};
  SALLYPORT_CHECK(prlimit(pid_, RLIMIT_FSIZE, &limit, nullptr) == 0);
}

std::chrono::nanoseconds thread_time() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

std::string OvsdbServer::transact(const std::string& operations) const {
  return run_program({"ovsdb-client", "transact", remote(), operations});
}

}  // namespace sallyport::test
