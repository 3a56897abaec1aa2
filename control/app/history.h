// The revisions: what was applied, by whom, how it ended, chained so that history cannot be changed
// in the middle (docs/design/0006-revisions.md). A value; control/app/ledger.h keeps it and the
// database's Revision table the same.
//
// Thread: no sharing. Failures: rows that do not hold together are reported by load(), not used.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::control {

enum class RevisionState : std::uint8_t {
  kPending,      // being brought into force
  kUnconfirmed,  // was brought into force, and is withdrawn unless somebody confirms it
  kConfirmed,
};
const char* to_string(RevisionState state);

// How long an unconfirmed revision stays in force.
struct Window {
  std::int64_t seconds = 0;      // 0 = it is confirmed by coming into force
  std::string boot;              // of the machine when it began
  std::int64_t deadline_ms = 0;  // of CLOCK_BOOTTIME of that boot
  friend bool operator==(const Window&, const Window&) = default;
};

struct Revision {
  std::uint64_t number = 0;
  std::int64_t time_s = 0;  // since 1970-01-01 UTC
  std::string user;
  std::string comment;
  std::string text;
  std::string sha256;    // of text, hexadecimal
  std::string previous;  // head of the revision before; empty for the first
  std::string chain;
  RevisionState state = RevisionState::kPending;
  std::string confirmed_by;
  Window window;
  friend bool operator==(const Revision&, const Revision&) = default;
};

nlohmann::json to_row(const Revision& revision);
// A row as the schema has it; nothing if a column is missing or the row does not verify by itself
// (text and chain).
std::optional<Revision> from_row(const nlohmann::json& row);
// SHA-256 over the revision's chain, state, who confirmed it and until when that was possible; what
// the next one is chained to.
std::string head_of(const Revision& revision);

class History {
 public:
  // Kept at most; the oldest go first, the newest never.
  static constexpr std::size_t kMaxRevisions = 100;
  static constexpr std::size_t kMaxTextBytes = std::size_t{16} << 20;

  struct Loaded {
    std::vector<std::string> problems;    // in words
    std::vector<nlohmann::json> damaged;  // rows that are not used, as they were
  };
  // From the database's rows and the head that was stored with them.
  Loaded load(const std::vector<nlohmann::json>& rows, const std::string& head);

  // Adds a pending revision after the newest: user, comment, text, time and window.seconds are
  // given, the rest follows.
  const Revision& add(Revision revision);
  // From pending to one of the others, or from unconfirmed to confirmed.
  void set_state(std::uint64_t number, RevisionState state, const std::string& by,
                 const Window& window);
  void discard(std::uint64_t number);
  // Puts a revision where it belongs, as it is; the one of this number goes.
  void adopt(Revision revision);

  const Revision* find(std::uint64_t number) const;
  const Revision* newest() const;
  const Revision* last_confirmed() const;
  // Of the newest; empty when there is none.
  std::string head() const;
  // What the next add() will be called.
  std::uint64_t next_number() const { return last_number_ + 1; }
  // A number that was in use once, also if its row is gone.
  void seen(std::uint64_t number) { last_number_ = std::max(last_number_, number); }
  const std::map<std::uint64_t, Revision>& all() const { return revisions_; }
  // Where the chain does not hold, in words. Recomputes every digest.
  std::vector<std::string> verify() const;

 private:
  void prune();
  std::map<std::uint64_t, Revision> revisions_;
  std::uint64_t last_number_ = 0;  // also of discarded ones: a number is never used twice
};

}  // namespace sallyport::control
