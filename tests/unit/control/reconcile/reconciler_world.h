// control's reconciler with three fake neighbours; time moves by assignment.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/config/problems.h"
#include "control/reconcile/reconciler.h"
#include "tests/unit/control/reconcile/fakes.h"

namespace sallyport::control {

inline constexpr const char* kBase = R"(
version: 1
ports:
  wan: { device: "net_af_packet0,iface=veth0" }
  lan1: { device: "net_af_packet1,iface=veth1" }
segments:
  uplink: { ports: [wan], role: uplink, address: [192.0.2.2/24], gateway: 192.0.2.1, mac: "02:00:00:00:00:01" }
  field: { ports: [lan1], address: [10.20.0.1/24, "fd00:20::1/64"], mac: "02:00:00:00:00:02" }
)";
class ReconcilerTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/sallyport-reconcile-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    fake_setup_.emplace(folder_ + "/setup");
    fake_terminator_.emplace(folder_ + "/terminator", "terminator", journal_);
    fake_dataplane_.emplace(folder_ + "/dataplane", "dataplane", journal_);
    start_control();
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // As a fresh process: connects anew, knows nothing.
  void start_control() {
    reconciler_.reset();
    setup_.emplace(folder_ + "/setup");
    terminator_.emplace("terminator", folder_ + "/terminator");
    dataplane_.emplace("dataplane", folder_ + "/dataplane");
    reconciler_.emplace(*setup_, *terminator_, *dataplane_,
                        [this](const std::string& kind, const std::string& text) {
                          alerts_.push_back(kind);
                          last_alert_ = text;
                        });
  }

  TargetPtr target(std::uint64_t revision, const std::string& text) {
    TargetInput input;
    input.revision = revision;
    if (reconciler_->in_force()) input.previous = reconciler_->in_force()->slots;
    auto made = make_target(text, input);
    if (!made) {
      ADD_FAILURE() << format_problems("test", made.error());
      return nullptr;
    }
    return *made;
  }

  void turn() {
    now_ += std::chrono::milliseconds(10);
    fake_setup_->run();
    fake_terminator_->run();
    fake_dataplane_->run();
    setup_->run(now_);
    terminator_->run(now_);
    dataplane_->run(now_);
    reconciler_->run(now_);
  }
  // At most 120 s of test time.
  template <class Condition>
  bool until(Condition condition) {
    for (int i = 0; i < 12'000; ++i) {
      turn();
      if (condition()) return true;
    }
    return false;
  }
  bool everybody_up() { return setup_->up() && terminator_->up() && dataplane_->up(); }
  bool in_force(std::uint64_t revision) {
    return fake_terminator_->in_force == revision && fake_dataplane_->in_force == revision &&
           reconciler_->in_force() && reconciler_->in_force()->revision == revision &&
           reconciler_->step() == Reconciler::Step::kIdle;
  }
  std::optional<Result<void>> apply(TargetPtr candidate) {
    std::optional<Result<void>> outcome;
    EXPECT_TRUE(until([&] { return everybody_up(); }));
    reconciler_->commit(now_, std::move(candidate),
                        [&](Result<void> r) { outcome = std::move(r); });
    EXPECT_TRUE(until([&] { return outcome.has_value(); }));
    return outcome;
  }
  // The base configuration in force as revision 1, journals emptied.
  void begin() {
    const auto outcome = apply(target(1, kBase));
    ASSERT_TRUE(outcome && *outcome) << (*outcome).error().context;
    ASSERT_TRUE(until([&] { return in_force(1); }));
    journal_.clear();
    fake_setup_->log.clear();
    alerts_.clear();
  }

  std::chrono::milliseconds now_{1'000'000};
  std::string folder_;
  std::vector<std::string> journal_;
  std::vector<std::string> alerts_;
  std::string last_alert_;
  std::optional<test::FakeSetup> fake_setup_;
  std::optional<test::FakeSibling> fake_terminator_;
  std::optional<test::FakeSibling> fake_dataplane_;
  std::optional<SetupClient> setup_;
  std::optional<Sibling> terminator_;
  std::optional<Sibling> dataplane_;
  std::optional<Reconciler> reconciler_;
};

}  // namespace sallyport::control
