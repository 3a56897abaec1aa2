#include "control/app/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ranges>

#include "control/app/recovery.h"

namespace sallyport::control {
namespace {

// How many revisions beside the one to use are asked for what they may have left behind.
constexpr std::size_t kMaxStale = 3;

// The snapshot that was in force when control last ran, while dataplane and terminator may have
// lived on: the same names must keep their slots.
struct Kept {
  std::vector<std::uint8_t> bytes;  // empty: there is none, or it is damaged
  std::uint64_t revision = 0;
  compile::Slots slots;
};

Kept kept_snapshot(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = file ? static_cast<std::streamoff>(file.tellg()) : 0;
  if (size <= 0 || static_cast<std::size_t>(size) > wire::kMaxSnapshotSize) return {};
  Kept out;
  out.bytes.resize(static_cast<std::size_t>(size));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(out.bytes.data()), size);
  if (!file) return {};
  const auto view = wire::SnapshotView::verify(out.bytes);
  if (!view) return {};
  out.revision = view->revision();
  out.slots = compile::slots_of(*view);
  return out;
}

// One start's work; each step writes into `out`.
class Stock {
 public:
  explicit Stock(const Past& past) : past_(past), kept_(kept_snapshot(past.snapshot_path)) {}

  Present take() {
    load();
    remember_reviews();
    use_recovery_copy();
    discard_pending();
    settle_unconfirmed();
    choose_target();
    return std::move(out_);
  }

 private:
  void alert(std::string kind, std::string text) {
    out_.alerts.emplace_back(std::move(kind), std::move(text));
  }

  void load() {
    std::vector<nlohmann::json> rows;
    for (const std::string& text : past_.rows)
      if (auto row = nlohmann::json::parse(text, nullptr, false); row.is_object())
        rows.push_back(std::move(row));
    History::Loaded loaded = out_.history.load(rows, past_.head);
    for (std::string& problem : loaded.problems) alert("revision-damaged", std::move(problem));
    out_.damaged = std::move(loaded.damaged);
    if (!kept_.bytes.empty()) out_.history.seen(kept_.revision);
  }

  // Without it reviews are judged by today's clock, if that can be trusted, or not at all.
  void remember_reviews() {
    auto memory = read_review_memory(past_.review_memory_path);
    if (!memory) {
      alert("review-memory-damaged", memory.error().context +
                                         "; reviews that have ended may hold again until a trusted "
                                         "clock shows the day");
      std::error_code error;
      std::filesystem::rename(past_.review_memory_path, past_.review_memory_path + ".damaged",
                              error);
    } else if (*memory) {
      out_.review_memory = **std::move(memory);
    }
  }

  // The database's file is not synced, and a damaged tail of it is cut off without a word.
  void use_recovery_copy() {
    const auto copy = read_recovery(past_.recovery_path);
    const Revision* last = out_.history.last_confirmed();
    if (!copy) {
      alert("recovery-damaged", copy.error().context);
      std::error_code error;
      std::filesystem::rename(past_.recovery_path, past_.recovery_path + ".damaged", error);
    }
    if (!copy || !*copy) {
      out_.copy_outdated = last != nullptr;
      return;
    }
    const Revision& kept = **copy;
    const Revision* stored = out_.history.find(kept.number);
    if (stored != nullptr && *stored == kept) {
      out_.copy_outdated = last->number > kept.number;
      return;
    }
    if (stored == nullptr && last != nullptr && last->number > kept.number)
      alert("revision-restored",
            fmt::format("revision {} is missing in the database and taken from the recovery copy",
                        kept.number));
    else if (stored == nullptr || stored->chain == kept.chain)
      alert("database-behind",
            fmt::format("the database ends before revision {} was confirmed: its file was damaged, "
                        "replaced, or not yet on the disk when the power failed; the revision is "
                        "taken from the recovery copy",
                        kept.number));
    else
      distrust_since(kept);
    out_.history.adopt(kept);
    out_.changed.insert(kept.number);
    const Revision* now = out_.history.last_confirmed();
    out_.copy_outdated = now->number > kept.number;
    followers_of(kept);
  }

  // What the database says differently from the copy, and whatever builds on that.
  void distrust_since(const Revision& kept) {
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, revision] : out_.history.all())
      if (number >= kept.number) numbers.push_back(number);
    for (const std::uint64_t number : numbers) {
      out_.damaged.push_back(to_row(*out_.history.find(number)));
      out_.history.discard(number);
    }
    alert("revision-damaged",
          fmt::format("revision {} in the database is not what was confirmed under that number: it "
                      "and what follows are quarantined, and the recovery copy is used",
                      kept.number));
  }

  void followers_of(const Revision& kept) {
    for (const auto& [number, revision] : out_.history.all())
      if (number > kept.number && revision.previous != head_of(kept) &&
          &revision == out_.history.newest())
        alert("revision-damaged",
              fmt::format("revision {} does not follow the recovery copy", number));
  }

  // Whatever was under way when control ended may have left traces; it never decided anything.
  void discard_pending() {
    std::vector<std::uint64_t> pending;
    for (const auto& [number, revision] : out_.history.all())
      if (revision.state == RevisionState::kPending) pending.push_back(number);
    for (const std::uint64_t number : pending) {
      alert("pending-revision-discarded",
            fmt::format("revision {} was being brought into force when control ended; it is "
                        "discarded",
                        number));
      left_behind_.push_back(out_.history.find(number)->text);
      out_.history.discard(number);
    }
  }

  void settle_unconfirmed() {
    const Revision* newest = out_.history.newest();
    if (newest == nullptr || newest->state != RevisionState::kUnconfirmed) return;
    const bool same_boot = newest->window.boot == past_.boot;
    if (same_boot && past_.boot_ms < newest->window.deadline_ms) {
      use_ = newest->number;
      window_runs_ = true;
      return;
    }
    const Revision* last = out_.history.last_confirmed();
    if (last == nullptr) return;
    const std::string why = same_boot
                                ? "the time to confirm it passed while control was not running"
                                : "the machine was started anew before anybody confirmed it";
    alert("revision-reverted",
          fmt::format("revision {} of {} is withdrawn: {}; revision {} is used", newest->number,
                      newest->user, why, last->number));
    renew(*last, fmt::format("back to {}: revision {} was not confirmed; {}", last->number,
                             newest->number, why));
  }

  // The same text under a new number, decided at once: nobody is there to be asked.
  void renew(const Revision& old, std::string comment) {
    Revision revision;
    revision.time_s = past_.now_s;
    revision.user = kOwnName;
    revision.comment = std::move(comment);
    revision.text = old.text;
    use_ = out_.history.add(std::move(revision)).number;
    out_.changed.insert(use_);
    out_.history.set_state(use_, RevisionState::kConfirmed, kOwnName, {});
    out_.copy_outdated = true;
  }

  TargetPtr compile(std::uint64_t number, const std::string& text) const {
    TargetInput input = past_.input;
    input.today = std::max(input.today, out_.review_memory.day);
    input.authorities = out_.review_memory.authorities;
    input.revision = number;
    input.previous = kept_.slots;
    auto made = make_target(text, std::move(input));
    return made ? *std::move(made) : nullptr;
  }

  void choose_target() {
    const Revision* last = out_.history.last_confirmed();
    if (use_ == 0 && last != nullptr) use_ = last->number;
    if (use_ == 0) return;
    out_.target = compile(use_, out_.history.find(use_)->text);
    if (out_.target == nullptr) {
      alert("revision-unusable",
            fmt::format("revision {} no longer compiles; nothing is changed", use_));
      return;
    }
    const ConstBytes bytes = out_.target->mapping.bytes();
    // A number means one snapshot: whoever runs the old one under it would not look again.
    if (kept_.revision == use_ && !std::ranges::equal(kept_.bytes, bytes) && !window_runs_) {
      renew(*out_.history.find(use_),
            fmt::format("revision {} compiles to something else today: reviews ended, or "
                        "sallyport-control is a newer one",
                        use_));
      out_.target = compile(use_, out_.history.find(use_)->text);
    }
    for (const auto& [number, revision] : std::views::reverse(out_.history.all()))
      if (number != use_ && left_behind_.size() < kMaxStale) left_behind_.push_back(revision.text);
    for (const std::string& text : left_behind_)
      if (const TargetPtr target = compile(use_, text)) out_.stale.push_back(target->plan);
  }

  const Past& past_;
  const Kept kept_;
  Present out_;
  std::uint64_t use_ = 0;
  bool window_runs_ = false;              // of the one to use, which is unconfirmed
  std::vector<std::string> left_behind_;  // texts
};

}  // namespace

Present take_stock(const Past& past) { return Stock(past).take(); }

}  // namespace sallyport::control
