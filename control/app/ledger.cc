#include "control/app/ledger.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/app/recovery.h"
#include "control/app/utc.h"
#include "policy/base/check.h"
#include "policy/wire/digest.h"

namespace sallyport::control {
namespace {

constexpr Millis kLook{50};
constexpr std::size_t kMaxQuarantined = 16;
constexpr std::size_t kMaxQuarantinedBytes = std::size_t{16} << 20;
constexpr std::size_t kDigits = 8;

Database::Change row_change(const Revision& revision) {
  return {"Revision", std::to_string(revision.number), row_text(to_row(revision))};
}

}  // namespace

void Ledger::open(const std::set<std::uint64_t>& changed, bool copy_outdated) {
  RowTexts rows;
  for (const auto& [number, revision] : parts_.history.all())
    rows[std::to_string(number)] = row_text(to_row(revision));
  parts_.database.replace("Revision", rows);
  gateway_.current = gateway_.next = parts_.revision_in_force();
  // The head and everything that it depends on change together, also what was discarded.
  std::vector<Database::Change> changes{gateway_.change()};
  for (const std::string& key : parts_.database.keys("Revision"))
    if (!rows.contains(key)) changes.push_back({"Revision", key, std::nullopt});
  for (const std::uint64_t number : changed)
    changes.push_back(row_change(*parts_.history.find(number)));
  parts_.database.commit(std::move(changes));
  audit_.record(fmt::format("started with {} revisions, revision {} is to be in force, head={}",
                            parts_.history.all().size(), gateway_.current, parts_.history.head()));
  const Revision* last = parts_.history.last_confirmed();
  if (copy_outdated && last != nullptr) write_copy(*last, false);
}

std::uint64_t Ledger::propose(Revision revision, Stored stored) {
  const std::uint64_t number = parts_.history.add(std::move(revision)).number;
  gateway_.next = number;
  write(number, Copy::kNone, std::move(stored));
  return number;
}

void Ledger::discard(std::uint64_t number, const std::string& why) {
  const Revision& revision = *parts_.history.find(number);
  audit_.record(fmt::format("revision {} of {} refused: {}; sha256={}", number, revision.user, why,
                            revision.sha256));
  parts_.history.discard(number);
  gateway_.next = gateway_.current;
  parts_.database.commit({{"Revision", std::to_string(number), std::nullopt}, gateway_.change()});
}

void Ledger::decide(std::uint64_t number, RevisionState state, const std::string& by,
                    const Window& window, Stored stored) {
  parts_.history.set_state(number, state, by, window);
  gateway_.current = gateway_.next = number;
  const Revision& revision = *parts_.history.find(number);
  const bool confirmed = state == RevisionState::kConfirmed;
  audit_.record(fmt::format(
      "revision {} of {} {}: applied={} sha256={} comment={} head={}", number, revision.user,
      confirmed ? "confirmed by " + by
                : fmt::format("in force, to be confirmed within {} s", window.seconds),
      // As JSON, so that no comment can look like another field.
      utc_text(revision.time_s), revision.sha256, row_text(revision.comment), head_of(revision)));
  write(number, confirmed ? Copy::kDue : Copy::kNone, std::move(stored));
  prune_rows();
}

void Ledger::write(std::uint64_t number, Copy copy, Stored stored) {
  SALLYPORT_CHECK(stored || copy == Copy::kNone);
  SALLYPORT_CHECK(!waiting_);
  const Revision& revision = *parts_.history.find(number);
  parts_.database.commit({row_change(revision), gateway_.change()});
  ++serial_;
  if (stored)
    waiting_ = Waiting{number, parts_.database.failures(), Loop::now() + kStoreTimeout, copy,
                       std::move(stored)};
  Loop::wake_now();
}

void Ledger::write_copy(const Revision& revision, bool awaited) {
  parts_.beside.start(
      [path = recovery_path(parts_.settings), revision] { return write_recovery(path, revision); },
      [this, awaited, serial = serial_](const Result<void>& written) {
        if (!written) parts_.alert("recovery-not-written", written.error().context);
        if (awaited && serial == serial_ && waiting_) waiting_->copy = Copy::kNone;
      });
}

// What history no longer keeps; in no hurry.
void Ledger::prune_rows() {
  for (const std::string& key : parts_.database.keys("Revision"))
    if (parts_.history.find(std::strtoull(key.c_str(), nullptr, 10)) == nullptr)
      parts_.database.erase("Revision", key);
}

void Ledger::keep_quarantined(const std::vector<std::string>& rows) {
  RowTexts texts;
  for (const std::string& text : rows) {
    auto row = nlohmann::json::parse(text, nullptr, false);
    if (!row.is_object() || !row.contains("name") || !row["name"].is_string()) continue;
    const std::string name = row["name"];
    texts[name] = text;
    quarantine_[name] = std::move(row);
  }
  parts_.database.replace("Quarantine", texts);
}

// The oldest evidence goes when there is too much of it.
std::vector<Database::Change> Ledger::bound_quarantine() {
  std::vector<Database::Change> changes;
  const auto size = [](const auto& entry) { return entry.second.value("evidence", "").size(); };
  std::size_t bytes = 0;
  for (const auto& entry : quarantine_) bytes += size(entry);
  while (quarantine_.size() > kMaxQuarantined ||
         (quarantine_.size() > 1 && bytes > kMaxQuarantinedBytes)) {
    const auto oldest =
        std::min_element(quarantine_.begin(), quarantine_.end(), [](const auto& a, const auto& b) {
          return a.second.value("found", 0) < b.second.value("found", 0);
        });
    bytes -= size(*oldest);
    changes.push_back({"Quarantine", oldest->first, std::nullopt});
    quarantine_.erase(oldest);
  }
  return changes;
}

void Ledger::quarantine(const std::vector<nlohmann::json>& rows, const std::string& problem) {
  std::vector<Database::Change> changes;
  for (const nlohmann::json& row : rows) {
    const std::string text = row_text(row);
    const std::uint64_t number = row.value("number", std::uint64_t{0});
    const std::string name =
        fmt::format("revision-{}-{}", number, wire::to_hex(wire::sha256(text)).substr(0, kDigits));
    quarantine_[name] = {
        {"name", name}, {"found", parts_.now_s()}, {"problem", problem}, {"evidence", text}};
    changes.push_back({"Quarantine", name, row_text(quarantine_[name])});
    if (parts_.history.find(number) == nullptr)
      changes.push_back({"Revision", std::to_string(number), std::nullopt});
    audit_.record(fmt::format("quarantined {}: {}", name, problem));
  }
  for (Database::Change& change : bound_quarantine()) changes.push_back(std::move(change));
  parts_.database.commit(std::move(changes));
}

nlohmann::json Ledger::quarantined() const {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& [name, row] : quarantine_)
    out.push_back({{"name", name},
                   {"time", row.value("found", 0)},
                   {"problem", row.value("problem", "")},
                   {"evidence", row.value("evidence", "")}});
  return out;
}

bool Ledger::in_database() const {
  const Database& database = parts_.database;
  return database.connected() && database.stored("Revision", std::to_string(waiting_->number)) &&
         database.stored("Gateway", GatewayRow::kKey);
}

Result<void> Ledger::outcome(Millis now) const {
  const Database& database = parts_.database;
  if (in_database()) {
    if (waiting_->copy == Copy::kNone) return {};
  } else if (database.failures() > waiting_->failures) {
    return fail(ErrorKind::kSystem, "not-stored",
                fmt::format("the database cannot store it: {}\n  next: is the disk full? df {}",
                            database.last_error(), parts_.settings.state_dir));
  }
  if (now < waiting_->deadline) return fail(ErrorKind::kTimeout, "waiting");
  return fail(ErrorKind::kUnavailable, "no-database",
              waiting_->copy == Copy::kBeingWritten && in_database()
                  ? "the recovery copy was not written in time"
                  : "the database (ovsdb-server) did not store it in time");
}

void Ledger::run(Millis now) {
  if (!waiting_) return;
  const Result<void> result = outcome(now);
  const bool waits = !result && result.error().code == "waiting";
  // Also when the database has failed: what is in force must outlive control all the same.
  if (waiting_->copy == Copy::kDue && (in_database() || !waits)) {
    waiting_->copy = Copy::kBeingWritten;
    write_copy(*parts_.history.find(waiting_->number), true);
  }
  if (waits) return;
  // Whoever is told that it is confirmed may switch off: not before the copy is on the disk.
  if (waiting_->copy == Copy::kBeingWritten && now < waiting_->deadline + kCopyTimeout) return;
  const Waiting done = *std::exchange(waiting_, std::nullopt);
  done.stored(result);
}

void Ledger::wait() const {
  if (waiting_) Loop::wake_at(Loop::now() + kLook);
}

}  // namespace sallyport::control
