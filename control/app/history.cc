#include "control/app/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <ranges>

#include "policy/base/check.h"
#include "policy/wire/digest.h"

namespace sallyport::control {
namespace {

std::string digest(std::string_view text) { return wire::to_hex(wire::sha256(text)); }

// A row as the schema has it; the database checks types, this checks the rest.
std::optional<Revision> from_row(const nlohmann::json& row) {
  Revision out;
  const auto text = [&](const char* key) {
    const auto found = row.find(key);
    return found != row.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  const auto number = [&](const char* key) {
    const auto found = row.find(key);
    return found != row.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
  };
  out.number = static_cast<std::uint64_t>(std::max<std::int64_t>(number("number"), 0));
  out.time_s = number("time");
  out.user = text("user");
  out.comment = text("comment");
  out.text = text("text");
  out.sha256 = text("sha256");
  out.chain = text("chain");
  out.confirmed = text("state") == "confirmed";
  if (out.number == 0) return std::nullopt;
  return out;
}

}  // namespace

std::string History::chain_of(const std::string& previous, const Revision& revision) {
  // Lengths in front, so that no two different rows make the same text.
  return digest(fmt::format("{}\n{}\n{}\n{}:{}\n{}:{}\n{}", previous, revision.number,
                            revision.time_s, revision.user.size(), revision.user,
                            revision.comment.size(), revision.comment, revision.sha256));
}

std::vector<std::string> History::load(const std::vector<nlohmann::json>& rows) {
  std::vector<std::string> problems;
  revisions_.clear();
  last_number_ = 0;
  for (const nlohmann::json& row : rows) {
    auto revision = from_row(row);
    if (!revision) continue;
    last_number_ = std::max(last_number_, revision->number);
    if (digest(revision->text) != revision->sha256) {
      problems.push_back(
          fmt::format("revision {}: its text is not what was applied (SHA-256 "
                      "differs); it is not used",
                      revision->number));
      continue;
    }
    const auto number = revision->number;
    revisions_.emplace(number, *std::move(revision));
  }
  // The oldest row's predecessor may have been pruned; from there on each link must hold. Discarded
  // numbers leave gaps but never had a successor chained to them.
  std::string previous;
  bool known = false;
  for (const auto& [number, revision] : revisions_) {
    if ((known || number == 1) && chain_of(previous, revision) != revision.chain)
      problems.push_back(
          fmt::format("revision {}: the chain of revisions is broken before it", number));
    previous = revision.chain;
    known = true;
  }
  return problems;
}

const Revision& History::add(std::int64_t time_s, std::string user, std::string comment,
                             std::string text) {
  Revision revision;
  revision.number = ++last_number_;
  revision.time_s = time_s;
  revision.user = std::move(user);
  revision.comment = std::move(comment);
  revision.sha256 = digest(text);
  revision.text = std::move(text);
  const std::string previous = revisions_.empty() ? "" : revisions_.rbegin()->second.chain;
  revision.chain = chain_of(previous, revision);
  return revisions_.emplace(revision.number, std::move(revision)).first->second;
}

void History::confirm(std::uint64_t number) {
  const auto found = revisions_.find(number);
  SALLYPORT_CHECK(found != revisions_.end());
  found->second.confirmed = true;
  prune();
}

void History::discard(std::uint64_t number) { revisions_.erase(number); }

const Revision* History::find(std::uint64_t number) const {
  const auto found = revisions_.find(number);
  return found == revisions_.end() ? nullptr : &found->second;
}

const Revision* History::last_confirmed() const {
  const auto newest_first = std::views::reverse(revisions_);
  const auto found =
      std::ranges::find_if(newest_first, [](const auto& entry) { return entry.second.confirmed; });
  return found == newest_first.end() ? nullptr : &found->second;
}

void History::prune() {
  std::size_t bytes = 0;
  for (const auto& [number, revision] : revisions_) bytes += revision.text.size();
  while (revisions_.size() > 1 && (revisions_.size() > kMaxRevisions || bytes > kMaxTextBytes)) {
    bytes -= revisions_.begin()->second.text.size();
    revisions_.erase(revisions_.begin());
  }
}

nlohmann::json History::to_row(const Revision& revision) {
  return {{"number", revision.number}, {"time", revision.time_s},
          {"user", revision.user},     {"comment", revision.comment},
          {"text", revision.text},     {"sha256", revision.sha256},
          {"chain", revision.chain},   {"state", revision.confirmed ? "confirmed" : "pending"}};
}

}  // namespace sallyport::control
