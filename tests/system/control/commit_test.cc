// Commits against what may happen: control is killed, the database is killed, twenty write at once.
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <random>
#include <set>

#include "policy/os/fd.h"
#include "policy/os/seqpacket.h"
#include "tests/system/control/daemon.h"

namespace sallyport::testing {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

class Commit : public ControlDaemon {
 protected:
  void SetUp() override {
    ControlDaemon::SetUp();
    if (IsSkipped()) return;
    const Ran prepared = prepare_database();
    ASSERT_EQ(prepared.status, 0) << prepared.output;
    start_database();
    start_control();
    ASSERT_TRUE(wait_until([&] { return read({"status"}).value("ready", false); }));
    ASSERT_TRUE(wait_until([&] { return apply(numbered_config(0)).status == 0; }));
  }
  Process start_apply(int number) {
    const std::string file = write_file(fmt::format("{}.yaml", number), numbered_config(number));
    return Process({SALLYCTL_PROGRAM, "--run-dir", run_, "config", "apply", file},
                   [] { ::close(STDERR_FILENO); });
  }
};

// Half of the kills come when a sibling or setup has just been asked for something, the other half
// at a random moment of the time that a commit takes.
TEST_F(Commit, KilledAtAnyMomentTheOldOrTheNewRevisionIsInForceAndTheChainHolds) {
  constexpr int kKills = 200;
  const unsigned seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 random(seed);

  std::vector<std::string> asked;
  std::mutex mutex;
  neighbours_->on_request([&](const std::string& line) {
    const std::lock_guard lock(mutex);
    asked.push_back(line);
  });
  const auto before = steady_clock::now();
  ASSERT_EQ(apply(numbered_config(1)).status, 0);
  const auto takes =
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now() - before);
  neighbours_->on_request({});
  ASSERT_GT(asked.size(), 4U);

  std::string old_text = numbered_config(1);
  int kept = 0;
  int changed = 0;
  for (int i = 0; i < kKills; ++i) {
    const std::string new_text = numbered_config(2 + i);
    SCOPED_TRACE(fmt::format("kill {}", i));
    std::size_t left = i % 2 == 0 ? random() % asked.size() + 1 : 0;
    std::atomic<bool> reached{false};
    if (left != 0)
      neighbours_->on_request([&](const std::string&) {
        if (left != 0 && --left == 0) {
          control_->signal(SIGKILL);
          reached = true;
        }
      });
    std::optional<Process> writer = start_apply(2 + i);
    if (i % 2 == 0) {
      // A commit may end before it has asked so often.
      wait_until([&] { return reached || !control_->pid() || writer->wait(milliseconds(0)); },
                 milliseconds(5000));
    } else {
      std::uniform_int_distribution<std::int64_t> within(0, 2 * takes.count());
      const auto end = steady_clock::now() + std::chrono::microseconds(within(random));
      while (steady_clock::now() < end) {
      }
    }
    kill_control();
    writer.reset();  // or it would find the next control, if it was late for this one
    neighbours_->on_request({});
    start_control();
    const auto number = in_force();
    ASSERT_TRUE(number);
    const std::string text = text_in_force();
    ASSERT_TRUE(text == old_text || text == new_text) << text;
    ASSERT_EQ(chain_problem(), "");
    ASSERT_TRUE(read({"status"})["chain"]["problems"].empty());
    for (const char* kind : {"revision-damaged", "database-behind", "revision-restored",
                             "foreign-write", "chain-broken", "recovery-damaged"})
      ASSERT_TRUE(events(kind).empty()) << kind << events(kind).front();
    ++(text == new_text ? changed : kept);
    old_text = text;
  }
  std::cout << kKills << " kills: " << kept << " times the old, " << changed << " times the new\n";
  EXPECT_GT(kept, 10);
  EXPECT_GT(changed, 10);
}

// Supervised: it says that it is ready, and that it lives, as a unit of Type=notify wants it.
TEST_F(Commit, TheSupervisorHearsThatControlIsReadyAndThatItLives) {
  kill_control();
  const std::string path = folder_ + "/notify";
  const os::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  ASSERT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::chmod(path.c_str(), 0777), 0);
  ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
  ::setenv("WATCHDOG_USEC", "400000", 1);
  start_control();
  ::unsetenv("NOTIFY_SOCKET");
  ::unsetenv("WATCHDOG_USEC");
  std::string heard;
  const auto listen = [&](const std::string& word, std::size_t times) {
    std::array<char, 256> part{};
    while (os::wait_readable(socket.get(), std::chrono::seconds(5))) {
      const ssize_t size = ::recv(socket.get(), part.data(), part.size(), 0);
      heard +=
          std::string(part.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))) + "\n";
      std::size_t count = 0;
      for (std::size_t at = 0; (at = heard.find(word, at)) != heard.npos; ++at) ++count;
      if (count >= times) return true;
    }
    return false;
  };
  EXPECT_TRUE(listen("READY=1", 1));
  EXPECT_TRUE(listen("WATCHDOG=1", 5)) << heard;
  control_->signal(SIGSTOP);
  // Whatever was under way when it stopped.
  while (os::wait_readable(socket.get(), std::chrono::milliseconds(0)))
    ::recv(socket.get(), heard.data(), heard.size(), 0);
  EXPECT_FALSE(os::wait_readable(socket.get(), std::chrono::milliseconds(600)))
      << "a control that stands still must not say that it lives";
  control_->signal(SIGCONT);
}

TEST_F(Commit, AnsweredMeansItIsInForceAfterTheNextKillToo) {
  for (int i = 1; i <= 20; ++i) {
    ASSERT_EQ(apply(numbered_config(i)).status, 0);
    kill_control();
    start_control();
    ASSERT_TRUE(in_force());
    ASSERT_EQ(text_in_force(), numbered_config(i));
  }
}

// Or a kill between the two would look like a database that lost something.
TEST_F(Commit, TheRecoveryCopyWaitsForTheDatabase) {
  const auto copied = [&] {
    std::ifstream file(state_ + "/control/recovery.json");
    return json::parse(file, nullptr, false).value("number", 0);
  };
  ASSERT_EQ(copied(), 1);
  neighbours_->on_request([&](const std::string& line) {
    if (line.find("commit") != std::string::npos) database_->signal(SIGSTOP);
  });
  Process writer = start_apply(1);
  ASSERT_TRUE(wait_until([&] { return in_force() == 2U; }));
  neighbours_->on_request({});
  // What was given to the thread beside the loop before this has been done after it.
  const std::string file = write_file("beside.yaml", numbered_config(2));
  ASSERT_EQ(ctl({"config", "check", file}).status, 0);
  const int while_stopped = copied();
  ASSERT_FALSE(writer.wait(milliseconds(0))) << "too slow: the database is no longer waited for";
  EXPECT_EQ(while_stopped, 1);
  database_->signal(SIGCONT);
  EXPECT_EQ(writer.wait(std::chrono::seconds(20)), 0);
  EXPECT_EQ(copied(), 2);
}

TEST_F(Commit, TheDatabaseKilledAtAnyMomentLeavesOneOfTheTwo) {
  std::mt19937 random(7);
  std::string old_text = numbered_config(0);
  for (int i = 1; i <= 30; ++i) {
    SCOPED_TRACE(fmt::format("kill {}", i));
    Process writer = start_apply(i);
    const auto end = steady_clock::now() + std::chrono::microseconds(random() % 30'000);
    while (steady_clock::now() < end) {
    }
    kill_database();
    start_database();
    const auto status = writer.wait(std::chrono::seconds(20));
    ASSERT_TRUE(status);
    ASSERT_TRUE(in_force());
    const std::string text = text_in_force();
    ASSERT_EQ(text, *status == 0 ? numbered_config(i) : old_text);
    ASSERT_TRUE(wait_until([&] { return read({"status"})["database"]["settled"] == true; }));
    ASSERT_EQ(chain_problem(), "");
    old_text = text;
  }
  kill_control();
  start_control();
  ASSERT_TRUE(in_force());
  EXPECT_EQ(text_in_force(), old_text);
}

TEST_F(Commit, OfTwentyWritersAtOnceEachIsServedOrToldWhoHoldsIt) {
  constexpr int kWriters = 20;
  std::vector<std::thread> threads;
  std::atomic<int> refused{0};
  std::mutex mutex;
  std::vector<std::string> wrong;
  // All files before any thread: a process that another thread starts would hold one open for
  // writing until it has become sallyctl.
  std::vector<std::string> files;
  for (int i = 1; i <= kWriters; ++i)
    files.push_back(write_file(fmt::format("w{}.yaml", i), numbered_config(i)));
  for (int i = 1; i <= kWriters; ++i)
    threads.emplace_back([&, i] {
      const std::string& file = files[static_cast<std::size_t>(i) - 1];
      const bool served = wait_until(
          [&] {
            const Ran ran =
                ctl({"config", "apply", file, "--comment", fmt::format("writer {}", i)});
            if (ran.status == 0) return true;
            const std::lock_guard lock(mutex);
            if (ran.status != 9 ||
                ran.output.find("root is applying revision") == std::string::npos ||
                ran.output.find("since 20") == std::string::npos)
              wrong.push_back(ran.output);
            ++refused;
            return false;
          },
          std::chrono::seconds(60));
      const std::lock_guard lock(mutex);
      if (!served) wrong.push_back(fmt::format("writer {} was never served", i));
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, std::vector<std::string>());
  EXPECT_GT(refused, 0) << "nobody met anybody";
  EXPECT_EQ(chain_problem(), "");
  std::set<std::string> comments;
  std::set<std::uint64_t> numbers;
  const json history = read({"config", "history"});
  for (const json& row : history) {
    comments.insert(row["comment"].get<std::string>());
    numbers.insert(row["number"].get<std::uint64_t>());
    EXPECT_EQ(row["state"], "confirmed");
  }
  EXPECT_EQ(history.size(), kWriters + 1U);
  EXPECT_EQ(numbers.size(), kWriters + 1U);
  EXPECT_EQ(comments.size(), kWriters + 1U);
  EXPECT_EQ(in_force(), *numbers.rbegin());
}

}  // namespace
}  // namespace sallyport::testing
