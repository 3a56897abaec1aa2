// What every part of sallyport-control works with: neighbours, database, revisions, alerts, the
// thread for long work. One of each, owned by Control and lent to commands, commits and the rest.
//
// Thread: the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "control/app/beside.h"
#include "control/app/events.h"
#include "control/app/history.h"
#include "control/ovsdb/database.h"
#include "control/reconcile/reconciler.h"

namespace sallyport::control {

struct Settings {
  std::string run_dir = "/run/sallyport";
  std::string config_path = "/etc/sallyport/gateway.yaml";
  std::string version;
  std::uint64_t unit_id = 0;
  // Seconds since 1970-01-01 UTC; the system's clock if empty.
  std::function<std::int64_t()> wall_clock;
};

struct Parts {
  explicit Parts(Settings given);
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  std::int64_t now_s() const;
  // What an operator must hear of, from control itself: `detail` as Events::add().
  void alert(const std::string& kind, const std::string& detail);
  // 0 = nothing is in force.
  std::uint64_t revision_in_force() const;
  // For compiling what would follow the revision in force.
  compile::CompileInput compile_input(std::uint64_t revision) const;

  const Settings settings;
  Events events;
  History history;
  SetupClient setup;
  Sibling terminator;
  Sibling dataplane;
  Database database;
  Reconciler reconciler;
  Beside beside;
};

}  // namespace sallyport::control
