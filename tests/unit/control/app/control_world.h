// The whole of sallyport-control in this process, with a real ovsdb-server and fake neighbours.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "control/app/control.h"
#include "tests/unit/control/ovsdb/ovsdb_server.h"
#include "tests/unit/control/reconcile/fakes.h"

namespace sallyport::control {

inline constexpr Millis kDeadline{15'000};

inline constexpr const char* kConfig = R"(version: 1  # as written
ports: { lan1: { device: "net_null0" } }
segments: { field: { ports: [lan1], address: 10.20.0.1/24, services: [dns], mac: "02:00:00:00:00:02" } }
)";

class ControlTest : public ::testing::Test {
 protected:
  void SetUp() override;
  // A fresh control, as after a restart: knows nothing, connects anew.
  void start();
  // Turns everybody's loop until the condition holds; false after kDeadline.
  bool until(const std::function<bool()>& condition, Millis longest = kDeadline);

  // As sallyctl does it, but without blocking the loop that answers. null = no answer.
  nlohmann::json ask(const nlohmann::json& request, const std::optional<std::string>& text = {});
  nlohmann::json ask_on(int socket, const nlohmann::json& request,
                        const std::optional<std::string>& text = {});
  nlohmann::json apply(const std::string& text);
  std::vector<nlohmann::json> events(const std::string& kind);
  nlohmann::json history() { return ask({{"op", "history"}})["result"]; }
  static std::string read_file(const std::string& path);

  // The confirmed revisions' texts, by number, as the database has them.
  std::map<std::uint64_t, std::string> stored_texts();
  // The siblings run this revision, and control says so.
  bool everywhere(std::uint64_t revision);
  void set_boot_clock();

  test::OvsdbServer server_;
  Millis boot_now_{1'000'000};
  std::int64_t wall_now_ = 1'793'491'200;  // 2026-11-01
  std::string run_;
  bool clock_synchronised_ = true;
  Settings settings_;  // of the next start()
  std::vector<std::string> journal_;
  std::optional<test::FakeSetup> setup_;
  std::optional<test::FakeSibling> terminator_;
  std::optional<test::FakeSibling> dataplane_;
  std::optional<Control> control_;
};

}  // namespace sallyport::control
