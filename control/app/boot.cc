#include "control/app/boot.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "control/app/gateway_row.h"
#include "control/app/publisher.h"
#include "policy/os/log.h"

namespace sallyport::control {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

void Boot::run() {
  if (step_ == Step::kDone || step_ == Step::kTakingStock || !parts_.database.connected()) return;
  if (step_ == Step::kConnecting) {
    keys_ = parts_.database.keys("Revision");
    step_ = Step::kReading;
  }
  read_some();
  if (keys_.empty()) judge();
}

void Boot::wait() const {
  if (step_ == Step::kReading) Loop::wake_now();
}

void Boot::read_some() {
  const Clock::time_point end = Clock::now() + Database::kBudget;
  while (!keys_.empty() && Clock::now() < end) {
    if (auto row = parts_.database.row("Revision", keys_.back()))
      past_.rows.push_back(*std::move(row));
    keys_.pop_back();
  }
}

void Boot::judge() {
  step_ = Step::kTakingStock;
  if (const auto row = parts_.database.row("Gateway", GatewayRow::kKey))
    past_.head = nlohmann::json::parse(*row, nullptr, false).value("head", "");
  past_.recovery_path = Ledger::recovery_path(parts_.settings);
  past_.review_memory_path = parts_.review_memory_path();
  past_.snapshot_path = Publisher::snapshot_path(parts_.settings);
  past_.input = parts_.compile_input(0);
  past_.now_s = parts_.now_s();
  past_.boot = parts_.settings.boot_id;
  past_.boot_ms = parts_.boot_now().count();
  parts_.beside.start([past = std::move(past_)] { return take_stock(past); },
                      [this](Present present) { restore(std::move(present)); });
}

void Boot::restore(Present present) {
  step_ = Step::kDone;
  for (const std::string& mended : parts_.settings.mended) parts_.alert("database-mended", mended);
  for (const auto& [kind, text] : present.alerts) parts_.alert(kind, text);
  std::vector<std::string> quarantined;
  for (const std::string& key : parts_.database.keys("Quarantine"))
    if (auto row = parts_.database.row("Quarantine", key)) quarantined.push_back(*std::move(row));
  parts_.history = std::move(present.history);
  parts_.review_memory = std::move(present.review_memory);
  if (present.target) {
    const Revision& revision = *parts_.history.find(present.target->revision);
    os::log::info(
        fmt::format("revision {} of {} is to be in force", revision.number, revision.user));
    parts_.reconciler.restore(present.target, std::move(present.stale));
  } else {
    os::log::info("no revision is to be in force: everything is denied until `config apply`");
  }
  for (const char* table :
       {"Revision", "Quarantine", "Gateway", "Port", "Segment", "Device", "Conduit", "Process"})
    parts_.database.manage(table);
  ledger_.keep_quarantined(quarantined);
  ledger_.open(present.changed, present.copy_outdated);
  if (!present.damaged.empty())
    ledger_.quarantine(present.damaged, "it did not verify when control started");
  commits_.set_ready();
}

}  // namespace sallyport::control
