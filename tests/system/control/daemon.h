// sallyport-control, ovsdb-server and sallyctl as the processes that they are, with neighbours in
// this process: control can be killed at any moment, its disk can be filled and its files damaged.
// Root only; others skip.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/process.h"
#include "tests/unit/control/reconcile/fakes.h"

namespace sallyport::testing {

inline constexpr uid_t kControlUser = 64011;

// setup, terminator and dataplane, served on a thread of their own.
class Neighbours {
 public:
  explicit Neighbours(const std::string& run_dir);
  ~Neighbours();
  Neighbours(const Neighbours&) = delete;
  Neighbours& operator=(const Neighbours&) = delete;

  // Called on the thread for each request that a sibling or setup was sent, before the next one is
  // read: "dataplane prepare 7", "setup port-up eth1".
  void on_request(std::function<void(const std::string&)> seen);
  // Under the lock that the thread holds while it serves.
  template <class Work>
  auto with(Work work) {
    const std::lock_guard lock(mutex_);
    return work(terminator_, dataplane_);
  }

 private:
  void serve();

  std::mutex mutex_;
  std::vector<std::string> journal_;
  std::size_t told_ = 0;
  std::size_t setup_told_ = 0;
  test::FakeSetup setup_;
  test::FakeSibling terminator_;
  test::FakeSibling dataplane_;
  std::function<void(const std::string&)> seen_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class ControlDaemon : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

  // As a launcher does: --create-database, then ovsdb-server.
  Ran prepare_database();
  void start_database();
  void kill_database();
  void start_control(const std::vector<std::string>& more = {});
  void kill_control();

  // sallyctl; the one with --json parses what it printed: an empty object if it failed.
  Ran ctl(std::vector<std::string> arguments);
  nlohmann::json read(std::vector<std::string> arguments);
  Ran apply(const std::string& text, std::vector<std::string> more = {});
  std::string write_file(const std::string& name, const std::string& text) const;

  // The number in force everywhere, as control and both siblings say; nothing within the deadline.
  std::optional<std::uint64_t> in_force();
  std::string text_in_force();
  std::vector<std::string> events(const std::string& kind);
  // Rows of a table, from ovsdb-server itself.
  nlohmann::json rows(const std::string& table);
  // What is wrong with the stored history, computed here from the rows alone; empty if nothing is.
  std::string chain_problem();

  std::string folder_;
  std::string run_;
  std::string state_;
  std::optional<Neighbours> neighbours_;
  std::optional<Process> database_;
  std::optional<Process> control_;
};

// A configuration that differs from others by its number.
std::string numbered_config(int number);

}  // namespace sallyport::testing
