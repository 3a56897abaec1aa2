// What is to be in force after a start: from the database's rows, the recovery copy and the
// snapshot that control kept when it last ran. The last confirmed revision is used, or an
// unconfirmed one whose window still runs; never the operator's file (design.md §8,
// docs/design/0006-revisions.md).
//
// Blocking (reads files, compiles): for the thread beside the loop. Values in, values out.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "control/app/history.h"
#include "control/app/review_memory.h"
#include "control/reconcile/target.h"

namespace sallyport::control {

// Who is named as the author of what control commits by itself.
inline constexpr const char* kOwnName = "sallyport-control";

struct Past {
  std::vector<std::string> rows;  // of table Revision, as JSON texts
  std::string head;               // of the Gateway row
  std::string recovery_path;
  std::string snapshot_path;
  std::string review_memory_path;
  TargetInput input;  // without revision and previous slots, and what is remembered of reviews
  std::int64_t now_s = 0;
  std::string boot;          // of the machine
  std::int64_t boot_ms = 0;  // CLOCK_BOOTTIME
};

struct Present {
  History history;
  ReviewMemory review_memory;
  TargetPtr target;                     // nothing is to be in force without one
  bool copy_outdated = false;           // the recovery copy is not of the last confirmed revision
  std::vector<HostPlan> stale;          // of revisions that may have left traces in the host stacks
  std::set<std::uint64_t> changed;      // revisions that the database has otherwise or not at all
  std::vector<nlohmann::json> damaged;  // rows to quarantine
  std::vector<std::pair<std::string, std::string>> alerts;  // kind, text
};

Present take_stock(const Past& past);

}  // namespace sallyport::control
