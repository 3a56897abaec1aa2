// What every part of sallyport-control works with: neighbours, database, revisions, alerts, the
// thread for long work. One of each, owned by Control and lent to commands, commits and the rest.
//
// Thread: the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "control/app/beside.h"
#include "control/app/events.h"
#include "control/app/history.h"
#include "control/app/review_memory.h"
#include "control/ovsdb/database.h"
#include "control/reconcile/reconciler.h"

namespace sallyport::control {

struct Settings {
  std::string run_dir = "/run/sallyport";
  std::string config_path = "/etc/sallyport/gateway.yaml";
  std::string version;
  std::uint64_t unit_id = 0;
  std::string state_dir = "/var/lib/sallyport/control";  // what control alone keeps there
  std::string audit_socket;                              // of a syslog daemon; empty: none
  std::string boot_id;  // tells one start of the machine from the next
  // What the launcher of the database had to mend, in words.
  std::vector<std::string> mended;
  Millis verify_interval{60'000};  // of the chain of revisions
  // Seconds since 1970-01-01 UTC, and CLOCK_BOOTTIME; the system's clocks if empty.
  std::function<std::int64_t()> wall_clock;
  std::function<Millis()> boot_clock;
  // Whether the wall clock follows another one; os::clock_synchronised() if empty.
  std::function<bool()> clock_synchronised;
};

struct Parts {
  explicit Parts(Settings given);
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  std::int64_t now_s() const;
  Millis boot_now() const;
  // Days since 1970-01-01 by the clock; nothing while it has never been set.
  std::optional<std::int32_t> clock_day() const;
  // The same if that clock is to be trusted: synchronised, or by the operator's word.
  std::optional<std::int32_t> trusted_day() const;
  // By which reviews are judged: the latest that a trusted clock has ever shown.
  std::optional<std::int32_t> today() const;
  std::string review_memory_path() const { return settings.state_dir + "/reviews.json"; }
  // What an operator must hear of, from control itself: `detail` as Events::add().
  void alert(const std::string& kind, const std::string& detail);
  // 0 = nothing is in force.
  std::uint64_t revision_in_force() const;
  // For compiling what would follow the revision in force.
  TargetInput compile_input(std::uint64_t revision) const;

  const Settings settings;
  Events events;
  History history;
  SetupClient setup;
  Sibling terminator;
  Sibling dataplane;
  Database database;
  Reconciler reconciler;
  Beside beside;
  ReviewMemory review_memory;
};

}  // namespace sallyport::control
