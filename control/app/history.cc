#include "control/app/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ranges>

#include "policy/base/check.h"
#include "policy/wire/digest.h"

namespace sallyport::control {
namespace {

constexpr std::array kStates{"pending", "unconfirmed", "confirmed"};

std::string digest(std::string_view text) { return wire::to_hex(wire::sha256(text)); }

std::string chain_of(const Revision& revision) {
  // Lengths in front, so that no two different rows make the same text.
  return digest(fmt::format("{}\n{}\n{}\n{}:{}\n{}:{}\n{}\n{}", revision.previous, revision.number,
                            revision.time_s, revision.user.size(), revision.user,
                            revision.comment.size(), revision.comment, revision.sha256,
                            revision.window.seconds));
}

bool verifies(const Revision& revision) {
  return digest(revision.text) == revision.sha256 && chain_of(revision) == revision.chain;
}

std::optional<RevisionState> state_of(const std::string& word) {
  for (std::size_t i = 0; i < kStates.size(); ++i)
    if (word == kStates.at(i)) return static_cast<RevisionState>(i);
  return std::nullopt;
}

}  // namespace

const char* to_string(RevisionState state) { return kStates.at(static_cast<std::size_t>(state)); }

nlohmann::json to_row(const Revision& revision) {
  return {{"number", revision.number},
          {"time", revision.time_s},
          {"user", revision.user},
          {"comment", revision.comment},
          {"text", revision.text},
          {"sha256", revision.sha256},
          {"previous", revision.previous},
          {"chain", revision.chain},
          {"state", to_string(revision.state)},
          {"confirmed_by", revision.confirmed_by},
          {"window", revision.window.seconds},
          {"boot", revision.window.boot},
          {"deadline", revision.window.deadline_ms}};
}

std::optional<Revision> from_row(const nlohmann::json& row) {
  bool whole = row.is_object();
  const auto text = [&](const char* key) {
    const auto found = row.find(key);
    if (found != row.end() && found->is_string()) return found->get<std::string>();
    whole = false;
    return std::string();
  };
  const auto number = [&](const char* key) {
    const auto found = row.find(key);
    if (found != row.end() && found->is_number_integer()) return found->get<std::int64_t>();
    whole = false;
    return std::int64_t{0};
  };
  if (!whole) return std::nullopt;
  Revision out;
  out.number = static_cast<std::uint64_t>(std::max<std::int64_t>(number("number"), 0));
  out.time_s = number("time");
  out.user = text("user");
  out.comment = text("comment");
  out.text = text("text");
  out.sha256 = text("sha256");
  out.previous = text("previous");
  out.chain = text("chain");
  out.confirmed_by = text("confirmed_by");
  out.window = {number("window"), text("boot"), number("deadline")};
  const auto state = state_of(text("state"));
  if (!whole || out.number == 0 || !state || !verifies(out)) return std::nullopt;
  out.state = *state;
  return out;
}

std::string head_of(const Revision& revision) {
  return digest(fmt::format("{}\n{}\n{}:{}\n{}:{}\n{}", revision.chain, to_string(revision.state),
                            revision.confirmed_by.size(), revision.confirmed_by,
                            revision.window.boot.size(), revision.window.boot,
                            revision.window.deadline_ms));
}

History::Loaded History::load(const std::vector<nlohmann::json>& rows, const std::string& head) {
  Loaded out;
  revisions_.clear();
  last_number_ = 0;
  for (const nlohmann::json& row : rows) {
    const std::int64_t number = row.value("number", std::int64_t{0});
    seen(static_cast<std::uint64_t>(std::max<std::int64_t>(number, 0)));
    if (auto revision = from_row(row)) {
      const auto key = revision->number;
      revisions_.insert_or_assign(key, *std::move(revision));
      continue;
    }
    out.problems.push_back(
        fmt::format("revision {}: its row is not what was stored (its digests differ); it is "
                    "quarantined and not used",
                    number));
    out.damaged.push_back(row);
  }
  for (std::string& problem : verify()) out.problems.push_back(std::move(problem));
  if (!rows.empty() && out.damaged.empty() && this->head() != head)
    out.problems.push_back(fmt::format(
        "the newest revision that is stored, {}, is not the newest that was: later ones are gone, "
        "or its state was changed",
        revisions_.rbegin()->first));
  return out;
}

std::vector<std::string> History::verify() const {
  std::vector<std::string> problems;
  const Revision* before = nullptr;
  for (const auto& [number, revision] : revisions_) {
    if (!verifies(revision))
      problems.push_back(fmt::format("revision {}: its digests differ", number));
    // The oldest row's predecessor may have been pruned; from there on each link must hold.
    // Discarded numbers leave gaps but never had a successor chained to them.
    const std::string previous = before == nullptr ? std::string() : head_of(*before);
    if ((before != nullptr || number == 1) && revision.previous != previous)
      problems.push_back(
          fmt::format("revision {}: the chain is broken before it: revisions are missing, or were "
                      "changed",
                      number));
    before = &revision;
  }
  return problems;
}

const Revision& History::add(Revision revision) {
  revision.number = ++last_number_;
  revision.sha256 = digest(revision.text);
  revision.previous = head();
  revision.chain = chain_of(revision);
  revision.state = RevisionState::kPending;
  return revisions_.emplace(revision.number, std::move(revision)).first->second;
}

void History::set_state(std::uint64_t number, RevisionState state, const std::string& by,
                        const Window& window) {
  const auto found = revisions_.find(number);
  SALLYPORT_CHECK(found != revisions_.end() && found->second.state != RevisionState::kConfirmed);
  SALLYPORT_CHECK(found->second.window.seconds == window.seconds);
  found->second.state = state;
  found->second.confirmed_by = by;
  found->second.window = window;
  prune();
}

void History::discard(std::uint64_t number) { revisions_.erase(number); }

void History::adopt(Revision revision) {
  seen(revision.number);
  const std::uint64_t number = revision.number;
  revisions_.insert_or_assign(number, std::move(revision));
}

const Revision* History::find(std::uint64_t number) const {
  const auto found = revisions_.find(number);
  return found == revisions_.end() ? nullptr : &found->second;
}

const Revision* History::newest() const {
  return revisions_.empty() ? nullptr : &revisions_.rbegin()->second;
}

const Revision* History::last_confirmed() const {
  const auto newest_first = std::views::reverse(revisions_);
  const auto found = std::ranges::find_if(newest_first, [](const auto& entry) {
    return entry.second.state == RevisionState::kConfirmed;
  });
  return found == newest_first.end() ? nullptr : &found->second;
}

std::string History::head() const { return revisions_.empty() ? "" : head_of(*newest()); }

void History::prune() {
  const Revision* confirmed = last_confirmed();
  std::size_t bytes = 0;
  for (const auto& [number, revision] : revisions_) bytes += revision.text.size();
  while (revisions_.size() > 1 && (revisions_.size() > kMaxRevisions || bytes > kMaxTextBytes)) {
    // What an unconfirmed one falls back to stays.
    if (&revisions_.begin()->second == confirmed) return;
    bytes -= revisions_.begin()->second.text.size();
    revisions_.erase(revisions_.begin());
  }
}

}  // namespace sallyport::control
