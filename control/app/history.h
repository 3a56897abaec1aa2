// The revisions: what was applied, by whom, chained so that history cannot be changed in the middle
// (design.md §8). A value kept in memory while control runs; control/app writes it to the
// database's Revision table and restores it from there at start.
//
// Thread: the loop's. Failures: rows that do not hold together are reported by load(), not used.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace sallyport::control {

struct Revision {
  std::uint64_t number = 0;
  std::int64_t time_s = 0;  // since 1970-01-01 UTC
  std::string user;
  std::string comment;
  std::string text;
  std::string sha256;  // of text, hexadecimal
  std::string chain;
  bool confirmed = false;
};

class History {
 public:
  // Kept at most; the oldest go first, the one in force never.
  static constexpr std::size_t kMaxRevisions = 100;
  static constexpr std::size_t kMaxTextBytes = std::size_t{8} << 20;

  // From the database's rows. What is wrong with them, in words; damaged rows are left out.
  std::vector<std::string> load(const std::vector<nlohmann::json>& rows);

  // Adds a pending revision after the newest.
  const Revision& add(std::int64_t time_s, std::string user, std::string comment, std::string text);
  void confirm(std::uint64_t number);
  void discard(std::uint64_t number);

  const Revision* find(std::uint64_t number) const;
  const Revision* last_confirmed() const;
  // What the next add() will be called.
  std::uint64_t next_number() const { return last_number_ + 1; }
  const std::map<std::uint64_t, Revision>& all() const { return revisions_; }

  static nlohmann::json to_row(const Revision& revision);
  // The chain value of a revision that follows `previous` (empty for the first).
  static std::string chain_of(const std::string& previous, const Revision& revision);

 private:
  void prune();
  std::map<std::uint64_t, Revision> revisions_;
  std::uint64_t last_number_ = 0;  // also of discarded ones: a number is never used twice
};

}  // namespace sallyport::control
