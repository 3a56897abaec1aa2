// The database as control wants it: a set of desired rows that this class keeps equal to what
// ovsdb-server holds. Whoever else writes is overruled at the next turn of the loop, and told
// about.
//
// Before the first contents have arrived nothing is written; read() then gives what was stored.
// Rows are {column: value} in OVSDB's JSON notation; keys are the "name" column's text, or "number"
// in decimal for Revision. Rows of a table that was never managed (manage()) are left alone.
//
// Thread: the loop's. Nothing blocks. Failures: a lost connection is re-made for ever and
// everything compared anew; a refused transaction is tried again each second and its error kept.
// Source: design.md §8; the database is not trusted input (style.md, point 18).
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
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

class Database {
 public:
  // `remote` as OVSDB writes it: "unix:/run/sallyport/db/socket".
  explicit Database(const std::string& remote);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void run(Millis now);
  void wait() const;

  bool connected() const;
  // The rows of a table as stored now; empty before the contents have arrived.
  std::vector<nlohmann::json> read(std::string_view table) const;

  // From now on this table holds exactly the rows that set() gave it.
  void manage(std::string_view table);
  void set(std::string_view table, const std::string& key, const nlohmann::json& row);
  void erase(std::string_view table, const std::string& key);
  // Replaces all desired rows of a table.
  void replace(std::string_view table, const std::map<std::string, nlohmann::json>& rows);

  // Everything desired is stored.
  bool settled() const { return pending_.empty() && in_flight_.empty(); }
  // Empties the list of foreign writes, bounded to kMaxForeignWrites.
  std::vector<ForeignWrite> take_foreign();
  const std::string& last_error() const { return last_error_; }

  static constexpr std::size_t kMaxForeignWrites = 64;

 private:
  using RowId = std::pair<std::size_t, std::string>;  // table index, key

  std::size_t table_index(std::string_view table) const;
  void note_changes();
  void compare(std::size_t table, bool tell);
  void compare_row(const RowId& id, const void* row, bool tell);
  void differs(const RowId& id, bool tell);
  void start_transaction();
  void finish_transaction(Millis now);

  struct Closer {
    void operator()(sp_db* db) const noexcept;
  };
  std::unique_ptr<sp_db, Closer> db_;
  std::map<RowId, std::string> desired_;
  std::set<std::size_t> managed_;
  std::set<RowId> pending_;    // differ from what is stored, as far as we know
  std::set<RowId> in_flight_;  // in the transaction under way
  bool was_connected_ = false;
  Millis retry_at_{0};
  std::vector<ForeignWrite> foreign_;
  std::string last_error_;
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
