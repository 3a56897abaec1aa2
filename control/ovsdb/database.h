// The database as control wants it: a set of desired rows that this class keeps equal to what
// ovsdb-server holds. Whoever else writes is overruled at the next turn of the loop, and told
// about.
//
// Before the first contents have arrived nothing is written; row() then gives what was stored.
// Rows are {column: value} in OVSDB's JSON notation; keys are the "name" column's text, or "number"
// in decimal for Revision. Rows of a table that was never managed (manage()) are left alone.
//
// Thread: the loop's. Nothing blocks, and each turn takes kBudget at most however many rows wait: a
// transaction holds kMaxRowsPerTransaction rows or kMaxBytesPerTransaction, whichever comes first.
// Failures: a lost connection is re-made for ever and everything compared anew; a refused
// transaction is tried again each second and its error kept. Source: design.md §8; the database is
// not trusted input (style.md, point 18).
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/ovsdb/loop.h"

struct sp_db;

namespace sallyport::control {

// A row that somebody else wrote, changed or deleted, and that is being put right.
struct ForeignWrite {
  std::string table;
  std::string key;
};

// Rows by key, as JSON texts.
using RowTexts = std::map<std::string, std::string>;
std::string row_text(const nlohmann::json& row);

class Database {
 public:
  // One of several changes that belong together.
  struct Change {
    std::string table;
    std::string key;
    std::optional<std::string> row;  // nothing: the row goes
  };

  static constexpr Millis kBudget{10};
  static constexpr std::size_t kMaxRowsPerTransaction = 128;
  static constexpr std::size_t kMaxBytesPerTransaction = std::size_t{256} << 10;
  static constexpr std::size_t kMaxForeignWrites = 64;

  // `remote` as OVSDB writes it: "unix:/run/sallyport/db/socket".
  explicit Database(const std::string& remote);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(Millis now);
  void wait() const;

  bool connected() const;
  // What is stored now; empty before the contents have arrived.
  std::vector<std::string> keys(std::string_view table) const;
  std::optional<std::string> row(std::string_view table, const std::string& key) const;

  // From now on this table holds exactly the rows that were set.
  void manage(std::string_view table);
  void set(std::string_view table, const std::string& key, std::string row);
  void erase(std::string_view table, const std::string& key);
  // Replaces all desired rows of a table.
  void replace(std::string_view table, const RowTexts& rows);
  // All of these in one transaction, before everything else that waits.
  void commit(std::vector<Change> changes);

  // This row is stored as it was last set (or is gone, as it was last erased).
  bool stored(std::string_view table, const std::string& key) const;
  // Everything desired is stored.
  bool settled() const { return look_.empty() && in_flight_.empty(); }
  // Empties the list of foreign writes, bounded to kMaxForeignWrites.
  std::vector<ForeignWrite> take_foreign();
  // Why the last transaction was refused; empty after one that was not.
  const std::string& last_error() const { return last_error_; }
  // Counts refused transactions.
  std::uint64_t failures() const { return failures_; }

 private:
  using RowId = std::pair<std::size_t, std::string>;  // table index, key
  // Somebody else is to be blamed if the row is not as desired.
  enum class Blame : bool { kNobody, kForeign };

  std::size_t table_index(std::string_view table) const;
  void desire(const RowId& id, std::optional<std::string> row);
  bool as_desired(const RowId& id) const;
  void blame(const RowId& id);
  void look(const RowId& id, Blame whose);
  void look_at_table(std::size_t table, Blame others);
  void note_changes();
  void start_transaction();
  std::size_t examine(const RowId& id, Blame whose);
  std::size_t write(const RowId& id, const void* row);
  void finish_transaction(Millis now);

  struct Closer {
    void operator()(sp_db* db) const noexcept;
  };
  std::unique_ptr<sp_db, Closer> db_;
  std::map<RowId, std::string> desired_;
  std::set<std::size_t> managed_;
  std::map<RowId, Blame> look_;  // to be compared with what is stored
  std::set<RowId> mine_;         // set or erased, and not yet known to be stored
  std::set<RowId> urgent_;       // of commit(): first, and all in one transaction
  // In the transaction under way, with what it writes.
  std::map<RowId, std::optional<std::string>> in_flight_;
  bool in_flight_urgent_ = false;
  bool begun_ = false;  // the library has a transaction open that is not sent yet
  bool was_connected_ = false;
  bool ever_connected_ = false;
  Millis retry_at_{0};
  std::vector<ForeignWrite> foreign_;
  std::string last_error_;
  std::uint64_t failures_ = 0;
};

// `ovs-appctl -t PATH sallyport/status` answers with a text; there is nothing else to ask and
// nothing to change.
class ReadOnlyAppctl {
 public:
  using Answer = std::string (*)(void* context);
  ReadOnlyAppctl(const std::string& path, Answer answer, void* context);
  ~ReadOnlyAppctl();
  ReadOnlyAppctl(const ReadOnlyAppctl&) = delete;
  ReadOnlyAppctl& operator=(const ReadOnlyAppctl&) = delete;
  void run();
  void wait() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace sallyport::control
