#include "control/app/review_watch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "control/app/restore.h"
#include "control/app/utc.h"

namespace sallyport::control {
namespace {

constexpr Millis kInterval{1000};
constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::size_t kMaxTold = 20;

}  // namespace

void ReviewWatch::run(Millis now, bool idle) {
  if (now < look_at_) return;
  look_at_ = now + kInterval;
  if (!commits_.ready()) return;
  ask_authorities(now);
  note_day();
  if (!stored_ && !storing_ && now >= store_at_) remember();
  const TargetPtr target = parts_.reconciler.in_force();
  if (!target) return;
  tell(*target);
  if (judging_ || !idle || now < judge_at_) return;
  const auto today = parts_.today();
  if (target->authorities == parts_.review_memory.authorities &&
      (!today || (target->today && *target->today >= *today)))
    return;
  judging_ = true;
  parts_.beside.start(
      // Under its own number, so that the same tables are the same bytes.
      [target, input = parts_.compile_input(target->revision)]() mutable -> TargetPtr {
        auto made = make_target(target->text, std::move(input));
        return made ? *std::move(made) : nullptr;
      },
      [this, target](const TargetPtr& compiled) { judged(target, compiled); });
}

void ReviewWatch::ask_authorities(Millis now) {
  if (asking_ || now < ask_at_ || !parts_.terminator.up()) return;
  asking_ = true;
  parts_.terminator.query(now, "authorities", {}, Millis(0),
                          [this](const Result<Sibling::Reply>& reply) {
                            asking_ = false;
                            ask_at_ = Loop::now() + kAskInterval;
                            if (!reply) return;
                            auto authorities = parse_authorities(reply->json);
                            if (!authorities || *authorities == parts_.review_memory.authorities)
                              return;
                            parts_.review_memory.authorities = *std::move(authorities);
                            stored_ = false;
                            look_at_ = Millis(0);
                            Loop::wake_now();
                          });
}

void ReviewWatch::note_day() {
  const auto today = parts_.today();
  if (today == parts_.review_memory.day) return;
  parts_.review_memory.day = today;
  stored_ = false;
}

// Queued before anything is judged by it.
void ReviewWatch::remember() {
  storing_ = true;
  parts_.beside.start(
      [memory = parts_.review_memory, path = parts_.review_memory_path()] {
        return std::pair(write_review_memory(path, memory), memory);
      },
      [this](const std::pair<Result<void>, ReviewMemory>& written) {
        storing_ = false;
        stored_ = written.first && written.second == parts_.review_memory;
        if (written.first) return;
        store_at_ = Loop::now() + kRetry;
        parts_.alert("review-memory-not-written", written.first.error().context);
      });
}

// Once a day for each review that has ended and still holds.
void ReviewWatch::tell(const Target& target) {
  if (!target.today || (told_ && *told_ >= *target.today)) return;
  told_ = target.today;
  std::vector<std::string> ended;
  std::size_t more = 0;
  for (const model::Diagnostic& warning : target.warnings) {
    if (warning.code != "review-expired") continue;
    if (ended.size() < kMaxTold)
      ended.push_back(warning.message);
    else
      ++more;
  }
  if (ended.empty()) return;
  std::string text = fmt::format("{}", fmt::join(ended, "; "));
  if (more != 0) text += fmt::format("; and {} more", more);
  parts_.alert("review-ended", text);
}

void ReviewWatch::judged(const TargetPtr& before, const TargetPtr& today) {
  judging_ = false;
  if (parts_.reconciler.in_force() != before || commits_.under_way()) return;
  if (!today) {
    judge_at_ = Loop::now() + kRetry;
    return parts_.alert("reviews-not-judged", "the text in force does not compile today");
  }
  if (std::ranges::equal(before->mapping.bytes(), today->mapping.bytes()))
    return parts_.reconciler.refresh(today);
  Wish wish;
  wish.user = kOwnName;
  wish.comment = "reviews as the key store is now";
  if (today->today && before->today != today->today)
    wish.comment =
        fmt::format("reviews as of {}", utc_text(*today->today * kSecondsPerDay).substr(0, 10));
  wish.text = before->text;
  wish.must = true;
  parts_.alert("reviews-ended",
               fmt::format("conduits of revision {} have lost or got a valid review: {}",
                           before->revision, wish.comment));
  commits_.start(std::move(wish), [this](const Outcome& outcome) {
    if (!outcome.error) return;
    judge_at_ = Loop::now() + kRetry;
    parts_.alert("reviews-not-judged", outcome.error->context);
  });
}

}  // namespace sallyport::control
