#include "control/app/chain_watch.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace sallyport::control {
namespace {

using Clock = std::chrono::steady_clock;
constexpr Millis kAgain{1000};

}  // namespace

std::vector<std::string> chain_problems(const History& history,
                                        const std::vector<std::string>& rows) {
  std::vector<std::string> problems = history.verify();
  std::size_t known = 0;
  for (const std::string& text : rows) {
    const auto row = nlohmann::json::parse(text, nullptr, false);
    const auto revision = from_row(row);
    const Revision* committed = revision ? history.find(revision->number) : nullptr;
    if (committed != nullptr && *committed == *revision)
      ++known;
    else
      problems.push_back(fmt::format("the database holds a revision {} that was never committed",
                                     row.is_object() ? row.value("number", 0) : 0));
  }
  if (known < history.all().size())
    problems.push_back(fmt::format("the database holds {} of {} revisions as they were committed",
                                   known, history.all().size()));
  return problems;
}

void ChainWatch::run(Millis now, bool idle) {
  if (computing_) return;
  // Whatever is on its way into the database is not judged.
  if (!idle || !parts_.database.connected() || !parts_.database.settled()) {
    reading_ = false;
    next_ = std::max(next_, now + kAgain);
    return;
  }
  if (!reading_) {
    if (now < next_) return;
    reading_ = true;
    keys_ = parts_.database.keys("Revision");
    rows_.clear();
  }
  read_some();
  if (!keys_.empty()) return;
  reading_ = false;
  computing_ = true;
  parts_.beside.start(
      [history = parts_.history, rows = std::move(rows_)] { return chain_problems(history, rows); },
      [this](const std::vector<std::string>& problems) { verified(problems); });
  rows_.clear();
}

void ChainWatch::read_some() {
  const Clock::time_point end = Clock::now() + Database::kBudget;
  while (!keys_.empty() && Clock::now() < end) {
    if (auto row = parts_.database.row("Revision", keys_.back())) rows_.push_back(*std::move(row));
    keys_.pop_back();
  }
}

void ChainWatch::verified(const std::vector<std::string>& problems) {
  computing_ = false;
  next_ = Loop::now() + parts_.settings.verify_interval;
  ++rounds_;
  time_s_ = parts_.now_s();
  for (const std::string& problem : problems)
    if (std::find(problems_.begin(), problems_.end(), problem) == problems_.end())
      parts_.alert("chain-broken", problem);
  problems_ = problems;
}

void ChainWatch::wait() const {
  if (reading_) return Loop::wake_now();
  if (!computing_) Loop::wake_at(next_);
}

nlohmann::json ChainWatch::to_json() const {
  return {{"head", parts_.history.head()},
          {"revisions", parts_.history.all().size()},
          {"verified", rounds_},
          {"time", time_s_},
          {"problems", problems_}};
}

}  // namespace sallyport::control
