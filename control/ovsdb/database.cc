#include "control/ovsdb/database.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "control/ovsdb/shim.h"
#include "policy/base/check.h"

namespace sallyport::control {
namespace {

constexpr Millis kRetry{1000};
// Rows per transaction: bounds the time of one turn of the loop.
constexpr std::size_t kMaxRowsPerTransaction = 500;

struct Rows {
  std::unordered_map<std::string, sp_row> by_key;
  std::vector<sp_row> twice;  // cannot happen with the schema's index; deleted if it does
};

Rows scan(sp_db* db, std::size_t table) {
  Rows rows;
  sp_db_scan(
      db, table,
      [](void* ctx, const char* key, sp_row row) {
        auto& out = *static_cast<Rows*>(ctx);
        if (!out.by_key.emplace(key, row).second) out.twice.push_back(row);
      },
      &rows);
  return rows;
}

}  // namespace

void Loop::wake_on(int fd, bool read, bool write) { sp_loop_fd(fd, read, write); }
void Loop::wake_at(Millis when) { sp_loop_at(when.count()); }
void Loop::wake_now() { sp_loop_now(); }
void Loop::block() { sp_loop_block(); }
Millis Loop::now() { return Millis(sp_loop_clock()); }
void Loop::quiet() { sp_loop_quiet(); }

void Database::Closer::operator()(sp_db* db) const noexcept { sp_db_close(db); }

Database::Database(const std::string& remote) : db_(sp_db_open(remote.c_str())) {}
Database::~Database() = default;

std::size_t Database::table_index(std::string_view table) const {
  for (std::size_t i = 0; i < sp_db_table_count(); ++i)
    if (table == sp_db_table_name(i)) return i;
  SALLYPORT_CHECK(false && "a table that the schema does not have");
  return 0;
}

bool Database::connected() const { return sp_db_connected(db_.get()); }

std::vector<nlohmann::json> Database::read(std::string_view table) const {
  std::vector<nlohmann::json> out;
  const std::size_t index = table_index(table);
  for (const auto& [key, row] : scan(db_.get(), index).by_key) {
    const std::unique_ptr<char, decltype(&std::free)> text(sp_row_json(index, row), &std::free);
    auto parsed = nlohmann::json::parse(text.get(), nullptr, false);
    if (!parsed.is_discarded()) out.push_back(std::move(parsed));
  }
  return out;
}

void Database::manage(std::string_view table) {
  const std::size_t index = table_index(table);
  if (managed_.insert(index).second && connected()) compare(index, false);
}

void Database::set(std::string_view table, const std::string& key, const nlohmann::json& row) {
  const RowId id{table_index(table), key};
  std::string text = row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  std::string& known = desired_[id];
  if (known == text) return;
  known = std::move(text);
  pending_.insert(id);
}

void Database::erase(std::string_view table, const std::string& key) {
  const RowId id{table_index(table), key};
  if (desired_.erase(id) != 0) pending_.insert(id);
}

void Database::replace(std::string_view table, const std::map<std::string, nlohmann::json>& rows) {
  const std::size_t index = table_index(table);
  std::vector<std::string> gone;
  for (auto it = desired_.lower_bound({index, {}});
       it != desired_.end() && it->first.first == index; ++it)
    if (!rows.contains(it->first.second)) gone.push_back(it->first.second);
  for (const std::string& key : gone) erase(table, key);
  for (const auto& [key, row] : rows) set(table, key, row);
}

std::vector<ForeignWrite> Database::take_foreign() { return std::exchange(foreign_, {}); }

void Database::differs(const RowId& id, bool tell) {
  // A row that we are about to write, or are writing, differs because of us.
  if (pending_.contains(id) || in_flight_.contains(id)) {
    pending_.insert(id);
    return;
  }
  pending_.insert(id);
  if (tell && foreign_.size() < kMaxForeignWrites)
    foreign_.push_back({sp_db_table_name(id.first), id.second});
}

void Database::compare_row(const RowId& id, const void* row, bool tell) {
  const auto wanted = desired_.find(id);
  const bool same = wanted == desired_.end()
                        ? row == nullptr
                        : row != nullptr && sp_row_matches(id.first, row, wanted->second.c_str());
  if (!same) differs(id, tell);
}

void Database::compare(std::size_t table, bool tell) {
  const Rows rows = scan(db_.get(), table);
  for (const auto& [key, row] : rows.by_key) compare_row({table, key}, row, tell);
  for (auto it = desired_.lower_bound({table, {}});
       it != desired_.end() && it->first.first == table; ++it)
    if (!rows.by_key.contains(it->first.second)) differs(it->first, tell);
}

void Database::note_changes() {
  struct Changes {
    std::set<std::size_t> whole;
    std::map<std::size_t, std::set<std::string>> rows;
  } changes;
  sp_db_changes(
      db_.get(),
      [](void* ctx, std::size_t table, const char* key) {
        auto& out = *static_cast<Changes*>(ctx);
        if (key == nullptr) {
          out.whole.insert(table);
        } else {
          out.rows[table].insert(key);
        }
      },
      &changes);
  const bool tell = was_connected_;
  for (const std::size_t table : managed_) {
    if (!was_connected_ || changes.whole.contains(table)) {
      compare(table, tell);
      continue;
    }
    const auto changed = changes.rows.find(table);
    if (changed == changes.rows.end()) continue;
    const Rows rows = scan(db_.get(), table);
    for (const std::string& key : changed->second) {
      const auto row = rows.by_key.find(key);
      compare_row({table, key}, row == rows.by_key.end() ? nullptr : row->second, tell);
    }
  }
}

void Database::start_transaction() {
  std::size_t table = sp_db_table_count();
  Rows rows;
  sp_txn_begin(db_.get());
  while (!pending_.empty() && in_flight_.size() < kMaxRowsPerTransaction) {
    const RowId id = *pending_.begin();
    if (id.first != table) {
      // A transaction's own changes would show in a scan; keys are per table, so one scan suffices.
      table = id.first;
      rows = scan(db_.get(), table);
      for (const sp_row row : rows.twice) sp_txn_delete(db_.get(), row);
    }
    pending_.erase(pending_.begin());
    const auto row = rows.by_key.find(id.second);
    const auto wanted = desired_.find(id);
    bool fine = true;
    if (wanted == desired_.end()) {
      if (row != rows.by_key.end()) sp_txn_delete(db_.get(), row->second);
    } else if (row == rows.by_key.end()) {
      fine = sp_txn_insert(db_.get(), table, wanted->second.c_str());
    } else if (!sp_row_matches(table, row->second, wanted->second.c_str())) {
      fine = sp_txn_update(db_.get(), table, row->second, wanted->second.c_str());
    }
    SALLYPORT_CHECK(fine && "a desired row does not fit the schema");
    in_flight_.insert(id);
  }
}

void Database::finish_transaction(Millis now) {
  switch (sp_txn_status(db_.get())) {
    case SP_NONE:
    case SP_UNDER_WAY:
      return;
    case SP_DONE:
      in_flight_.clear();
      last_error_.clear();
      return;
    case SP_AGAIN:
      break;
    case SP_FAILED:
      last_error_ = sp_txn_error(db_.get());
      retry_at_ = now + kRetry;
      break;
  }
  pending_.merge(in_flight_);
  in_flight_.clear();
}

void Database::run(Millis now) {
  sp_db_run(db_.get());
  if (!in_flight_.empty()) finish_transaction(now);
  const bool is_connected = connected();
  if (is_connected) {
    note_changes();
    if (in_flight_.empty() && !pending_.empty() && now >= retry_at_) {
      start_transaction();
      finish_transaction(now);
    }
  }
  was_connected_ = is_connected;
}

void Database::wait() const {
  sp_db_wait(db_.get());
  if (in_flight_.empty() && !pending_.empty() && connected()) Loop::wake_at(retry_at_);
}

struct ReadOnlyAppctl::State {
  sp_unixctl* server = nullptr;
  Answer answer = nullptr;
  void* context = nullptr;
  std::string text;
};

ReadOnlyAppctl::ReadOnlyAppctl(const std::string& path, Answer answer, void* context)
    : state_(std::make_unique<State>()) {
  state_->answer = answer;
  state_->context = context;
  state_->server = sp_unixctl_open(
      path.c_str(),
      [](void* ctx) -> const char* {
        auto& self = *static_cast<State*>(ctx);
        self.text = self.answer(self.context);
        return self.text.c_str();
      },
      state_.get());
}
ReadOnlyAppctl::~ReadOnlyAppctl() { sp_unixctl_close(state_->server); }
void ReadOnlyAppctl::run() {
  if (state_->server != nullptr) sp_unixctl_run(state_->server);
}
void ReadOnlyAppctl::wait() const {
  if (state_->server != nullptr) sp_unixctl_wait(state_->server);
}

}  // namespace sallyport::control
