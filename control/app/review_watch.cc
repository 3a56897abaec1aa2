#include "control/app/review_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/app/restore.h"
#include "control/app/utc.h"

namespace sallyport::control {
namespace {

constexpr Millis kInterval{1000};
constexpr std::int64_t kSecondsPerDay = 86'400;

}  // namespace

void ReviewWatch::run(Millis now, bool idle) {
  if (judging_ || now < look_at_) return;
  look_at_ = now + kInterval;
  const TargetPtr target = parts_.reconciler.in_force();
  const auto today = parts_.today();
  if (!idle || !commits_.ready() || !target || !today) return;
  if (target->today && *target->today >= *today) return;
  judging_ = true;
  parts_.beside.start(
      // Under its own number, so that the same tables are the same bytes.
      [target, input = parts_.compile_input(target->revision)]() mutable -> TargetPtr {
        auto made = make_target(target->text, std::move(input));
        return made ? *std::move(made) : nullptr;
      },
      [this, target](const TargetPtr& compiled) { judged(target, compiled); });
}

void ReviewWatch::judged(const TargetPtr& before, const TargetPtr& today) {
  judging_ = false;
  if (parts_.reconciler.in_force() != before || commits_.under_way()) return;
  if (!today) {
    look_at_ = Loop::now() + kRetry;
    return parts_.alert("reviews-not-judged", "the text in force does not compile today");
  }
  if (std::ranges::equal(before->mapping.bytes(), today->mapping.bytes()))
    return parts_.reconciler.refresh(today);
  Wish wish;
  wish.user = kOwnName;
  wish.comment =
      fmt::format("reviews as of {}", utc_text(*today->today * kSecondsPerDay).substr(0, 10));
  wish.text = before->text;
  wish.must = true;
  parts_.alert("reviews-ended",
               fmt::format("conduits of revision {} have lost or got a valid review today: {}",
                           before->revision, wish.comment));
  commits_.start(std::move(wish), [this](const Outcome& outcome) {
    if (!outcome.error) return;
    look_at_ = Loop::now() + kRetry;
    parts_.alert("reviews-not-judged", outcome.error->context);
  });
}

}  // namespace sallyport::control
