// Where revisions are written down: history in memory, the database's rows, the recovery copy and
// the audit sink change together here and nowhere else, in the order of
// docs/design/0006-revisions.md.
//
// Thread: the loop's; the recovery copy is written beside it. One thing is written down at a time.
// Failures: told to the caller; memory and desired rows are then as the caller left them, and the
// database is brought to them when it can be.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "control/app/audit.h"
#include "control/app/gateway_row.h"
#include "control/app/parts.h"

namespace sallyport::control {

class Ledger {
 public:
  // kUnavailable "no-database" or kSystem "not-stored" (a full disk, a refused transaction).
  using Stored = std::function<void(const Result<void>&)>;
  static constexpr Millis kStoreTimeout{5000};
  // Beyond that, for a recovery copy that was begun when the database had failed.
  static constexpr Millis kCopyTimeout{5000};

  Ledger(Parts& parts, GatewayRow& gateway, Audit& audit)
      : parts_(parts), gateway_(gateway), audit_(audit) {}

  // After a start, with the history as it is now: writes down what is gone, and `changed`
  // revisions.
  void open(const std::set<std::uint64_t>& changed, bool copy_outdated);
  // Writes down what is about to be brought into force; see History::add(). `stored`, if given,
  // once that has been stored.
  std::uint64_t propose(Revision revision, Stored stored);
  // It was refused: as if it had never been proposed, but for its number.
  void discard(std::uint64_t number, const std::string& why);
  // The commit: it is in force. `stored`, if given, once that cannot be lost any more.
  void decide(std::uint64_t number, RevisionState state, const std::string& by,
              const Window& window, Stored stored);
  // Rows of table Quarantine as an earlier run left them.
  void keep_quarantined(const std::vector<std::string>& rows);
  // Revision rows that did not verify, as they were: evidence, never used.
  void quarantine(const std::vector<nlohmann::json>& rows, const std::string& problem);
  nlohmann::json quarantined() const;

  void run(Millis now);
  void wait() const;
  bool busy() const { return waiting_.has_value(); }
  static std::string recovery_path(const Settings& settings) {
    return settings.state_dir + "/recovery.json";
  }

 private:
  // The recovery copy follows the database and never runs ahead of it: a copy that is newer than
  // the rows means damage, and only that.
  enum class Copy { kNone, kDue, kBeingWritten };
  struct Waiting {
    std::uint64_t number = 0;
    std::uint64_t failures = 0;  // of the database before
    Millis deadline{0};
    Copy copy = Copy::kNone;
    Stored stored;
  };

  void write(std::uint64_t number, Copy copy, Stored stored);
  void write_copy(const Revision& revision, bool awaited);
  void prune_rows();
  std::vector<Database::Change> bound_quarantine();
  bool in_database() const;
  Result<void> outcome(Millis now) const;

  Parts& parts_;
  GatewayRow& gateway_;
  Audit& audit_;
  std::optional<Waiting> waiting_;
  std::map<std::string, nlohmann::json> quarantine_;  // rows, by name
  std::uint64_t serial_ = 0;
};

}  // namespace sallyport::control
