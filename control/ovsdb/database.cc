#include "control/ovsdb/database.h"

#include <chrono>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "control/ovsdb/shim.h"
#include "policy/base/check.h"

namespace sallyport::control {
namespace {

constexpr Millis kRetry{1000};

using Clock = std::chrono::steady_clock;

}  // namespace

void Loop::wake_on(int fd, bool read, bool write) { sp_loop_fd(fd, read, write); }
void Loop::wake_at(Millis when) { sp_loop_at(when.count()); }
void Loop::wake_now() { sp_loop_now(); }
void Loop::block() { sp_loop_block(); }
Millis Loop::now() { return Millis(sp_loop_clock()); }
void Loop::quiet() { sp_loop_quiet(); }

std::string row_text(const nlohmann::json& row) {
  return row.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

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

std::vector<std::string> Database::keys(std::string_view table) const {
  std::vector<std::string> out;
  sp_db_keys(
      db_.get(), table_index(table),
      [](void* ctx, const char* key) {
        static_cast<std::vector<std::string>*>(ctx)->emplace_back(key);
      },
      &out);
  return out;
}

std::optional<std::string> Database::row(std::string_view table, const std::string& key) const {
  const std::size_t index = table_index(table);
  const sp_row found = sp_db_find(db_.get(), index, key.c_str());
  if (found == nullptr) return std::nullopt;
  const std::unique_ptr<char, decltype(&std::free)> text(sp_row_json(index, found), &std::free);
  return std::string(text.get());
}

void Database::manage(std::string_view table) {
  const std::size_t index = table_index(table);
  if (managed_.insert(index).second && connected()) look_at_table(index, Blame::kNobody);
}

bool Database::as_desired(const RowId& id) const {
  const auto wanted = desired_.find(id);
  const sp_row row = sp_db_find(db_.get(), id.first, id.second.c_str());
  if (wanted == desired_.end()) return row == nullptr;
  return row != nullptr && sp_row_matches(id.first, row, wanted->second.c_str());
}

void Database::blame(const RowId& id) {
  if (foreign_.size() < kMaxForeignWrites)
    foreign_.push_back({sp_db_table_name(id.first), id.second});
}

void Database::desire(const RowId& id, std::optional<std::string> row) {
  // From now on it differs because of us; whoever else wrote it before is told of first.
  if (const auto waits = look_.find(id); waits != look_.end() && waits->second == Blame::kForeign) {
    if (connected() && !as_desired(id)) blame(id);
    waits->second = Blame::kNobody;
  }
  if (row) {
    std::string& known = desired_[id];
    if (known == *row) return;
    known = *std::move(row);
  } else if (desired_.erase(id) == 0) {
    return;
  }
  mine_.insert(id);
  look(id, Blame::kNobody);
}

void Database::set(std::string_view table, const std::string& key, std::string row) {
  desire({table_index(table), key}, std::move(row));
}

void Database::erase(std::string_view table, const std::string& key) {
  desire({table_index(table), key}, std::nullopt);
}

void Database::replace(std::string_view table, const RowTexts& rows) {
  const std::size_t index = table_index(table);
  std::vector<std::string> gone;
  for (auto it = desired_.lower_bound({index, {}});
       it != desired_.end() && it->first.first == index; ++it)
    if (!rows.contains(it->first.second)) gone.push_back(it->first.second);
  for (const std::string& key : gone) desire({index, key}, std::nullopt);
  for (const auto& [key, row] : rows) desire({index, key}, row);
}

void Database::commit(std::vector<Change> changes) {
  for (Change& change : changes) {
    const RowId id{table_index(change.table), change.key};
    urgent_.insert(id);
    // Also if it is as desired already: it must not be written later than the others.
    mine_.insert(id);
    look(id, Blame::kNobody);
    desire(id, std::move(change.row));
  }
}

bool Database::stored(std::string_view table, const std::string& key) const {
  const RowId id{table_index(table), key};
  return !mine_.contains(id) && !in_flight_.contains(id);
}

std::vector<ForeignWrite> Database::take_foreign() { return std::exchange(foreign_, {}); }

void Database::look(const RowId& id, Blame whose) {
  const auto [found, added] = look_.emplace(id, whose);
  if (!added && whose == Blame::kForeign) found->second = whose;
}

void Database::look_at_table(std::size_t table, Blame others) {
  // A row that we have yet to write differs because of us.
  const auto whose = [&](const RowId& id) { return mine_.contains(id) ? Blame::kNobody : others; };
  for (const std::string& key : keys(sp_db_table_name(table)))
    look({table, key}, whose({table, key}));
  for (auto it = desired_.lower_bound({table, {}});
       it != desired_.end() && it->first.first == table; ++it)
    look(it->first, whose(it->first));
}

void Database::note_changes() {
  struct Changes {
    std::set<std::size_t> whole;
    std::set<RowId> rows;
  } changes;
  sp_db_changes(
      db_.get(),
      [](void* ctx, std::size_t table, const char* key) {
        auto& out = *static_cast<Changes*>(ctx);
        if (key == nullptr)
          out.whole.insert(table);
        else
          out.rows.emplace(table, key);
      },
      &changes);
  // What was stored before this program ran is nobody's fault.
  const Blame others = ever_connected_ ? Blame::kForeign : Blame::kNobody;
  if (!was_connected_) {
    for (const std::size_t table : managed_) look_at_table(table, others);
    return;
  }
  for (const std::size_t table : changes.whole)
    if (managed_.contains(table)) look_at_table(table, others);
  for (const RowId& id : changes.rows)
    // Ours is looked at when its transaction has ended.
    if (managed_.contains(id.first) && !in_flight_.contains(id)) look(id, others);
}

std::size_t Database::write(const RowId& id, const void* row) {
  if (!begun_) {
    sp_txn_begin(db_.get());
    begun_ = true;
  }
  const auto wanted = desired_.find(id);
  std::optional<std::string>& sent = in_flight_[id];
  if (wanted == desired_.end()) {
    sp_txn_delete(db_.get(), row);
    return 0;
  }
  sent = wanted->second;
  const bool fits = row == nullptr ? sp_txn_insert(db_.get(), id.first, sent->c_str())
                                   : sp_txn_update(db_.get(), id.first, row, sent->c_str());
  SALLYPORT_CHECK(fits && "a desired row does not fit the schema");
  return sent->size();
}

// Puts the row into the transaction if it is not as desired; returns the bytes that this adds.
std::size_t Database::examine(const RowId& id, Blame whose) {
  if (as_desired(id)) {
    mine_.erase(id);
    return 0;
  }
  if (whose == Blame::kForeign) blame(id);
  return write(id, sp_db_find(db_.get(), id.first, id.second.c_str()));
}

void Database::start_transaction() {
  begun_ = false;
  in_flight_urgent_ = !urgent_.empty();
  for (const RowId& id : std::exchange(urgent_, {})) {
    const auto found = look_.find(id);
    const Blame whose = found == look_.end() ? Blame::kNobody : found->second;
    if (found != look_.end()) look_.erase(found);
    examine(id, whose);
  }
  const Clock::time_point end = Clock::now() + kBudget;
  std::size_t bytes = 0;
  // A commit's transaction holds nothing else.
  while (!in_flight_urgent_ && !look_.empty() && in_flight_.size() < kMaxRowsPerTransaction &&
         bytes < kMaxBytesPerTransaction && Clock::now() < end) {
    const auto [id, whose] = *look_.begin();
    look_.erase(look_.begin());
    bytes += examine(id, whose);
  }
}

void Database::finish_transaction(Millis now) {
  const sp_status status = sp_txn_status(db_.get());
  if (status == SP_NONE || status == SP_UNDER_WAY) return;
  if (status == SP_DONE) {
    last_error_.clear();
  } else if (in_flight_urgent_) {
    for (const auto& [id, sent] : in_flight_) urgent_.insert(id);
  }
  if (status == SP_FAILED) {
    last_error_ = sp_txn_error(db_.get());
    retry_at_ = now + kRetry;
    ++failures_;
  }
  for (const auto& [id, sent] : std::exchange(in_flight_, {})) {
    const auto wanted = desired_.find(id);
    const bool as_sent =
        sent ? wanted != desired_.end() && wanted->second == *sent : wanted == desired_.end();
    if (status != SP_DONE || !as_sent) {
      mine_.insert(id);
      look(id, Blame::kNobody);
    } else {
      mine_.erase(id);
      // Somebody else may have written it right after us.
      look(id, Blame::kForeign);
    }
  }
}

void Database::run(Millis now) {
  sp_db_run(db_.get());
  const bool is_connected = connected();
  // Before the transaction is known to have ended, so that its own changes are known as ours.
  if (is_connected) note_changes();
  if (!in_flight_.empty()) finish_transaction(now);
  if (is_connected) {
    ever_connected_ = true;
    if (in_flight_.empty() && !settled() && now >= retry_at_) {
      start_transaction();
      if (begun_) finish_transaction(now);
    }
  }
  was_connected_ = is_connected;
}

void Database::wait() const {
  sp_db_wait(db_.get());
  if (in_flight_.empty() && !settled() && connected()) Loop::wake_at(retry_at_);
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
