#include "policy/review/judge.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "policy/review/rules.h"

namespace sallyport::review {
namespace {

constexpr std::size_t kMaxReasons = 8;

std::string joined(const std::vector<std::string>& why) {
  const auto shown = static_cast<std::ptrdiff_t>(std::min(why.size(), kMaxReasons));
  std::string out = fmt::format("{}", fmt::join(why.begin(), why.begin() + shown, "; "));
  if (why.size() > kMaxReasons) out += fmt::format("; and {} more", why.size() - kMaxReasons);
  return out;
}

class Settler {
 public:
  Settler(model::Gateway& gateway, const Authorities& authorities)
      : gateway_(gateway), resolver_(gateway, authorities), keys_(keys_of(gateway.review_rules)) {}

  Settled run() {
    Settled out;
    out.errors = keys_.errors;
    for (model::Conduit& conduit : gateway_.conduits) {
      Standing standing;
      if (conduit.review) settle(conduit, *conduit.review, standing);
      if (!standing.why.empty())
        out.warnings.push_back(
            {conduit.at, conduit.review->stands ? "review-not-whole" : "review-void",
             fmt::format("conduit {}: {}{}", conduit.name,
                         conduit.review->stands ? ""
                                                : "its review does not hold and it permits "
                                                  "nothing: ",
                         joined(standing.why)),
             fmt::format("look at it, then: sallyctl review sign {} --key KEY", conduit.name)});
      out.standings.push_back(std::move(standing));
    }
    return out;
  }

 private:
  void settle(const model::Conduit& conduit, model::Review& review, Standing& standing) {
    // Whoever signs wants it to hold only while it holds.
    const std::size_t needed =
        std::max<std::size_t>(gateway_.review_rules.required_signatures,
                              review.signatures.empty() && review.signed_text.empty() ? 0 : 1);
    review.stands = true;
    if (needed == 0) return;
    // Without `signed` there is nothing that a signature could be over.
    const bool current = !review.signed_text.empty() && compare(conduit, review, standing);
    for (const model::Signature& one : review.signatures) check(one, review, current, standing);
    standing.broken = !standing.why.empty();
    review.stands = current && standing.signed_by.size() >= needed;
    if (review.stands || (standing.broken && !current)) return;
    standing.why.push_back(
        fmt::format("it has {} of {} signatures", standing.signed_by.size(), needed));
  }

  // What was signed against what is there.
  bool compare(const model::Conduit& conduit, const model::Review& review, Standing& standing) {
    const Parts now = resolver_.parts_of(conduit);
    if (to_text(now) == review.signed_text) return true;
    const auto then = parse_parts(review.signed_text);
    if (!then)
      standing.why.push_back("what was signed cannot be read: " + then.error().context);
    else
      standing.why = differences(*then, now);
    return false;
  }

  void check(const model::Signature& one, const model::Review& review, bool current,
             Standing& standing) const {
    const auto& reviewers = gateway_.review_rules.reviewers;
    const auto at = std::ranges::find(reviewers, one.by, &model::Reviewer::name);
    if (at == reviewers.end())
      return standing.why.push_back(fmt::format("{} is no reviewer of control.review", one.by));
    if (std::ranges::find(standing.signed_by, one.by) != standing.signed_by.end())
      return standing.why.push_back(fmt::format("{} counts once", one.by));
    const auto& key = keys_.keys[static_cast<std::size_t>(at - reviewers.begin())];
    if (!key || !key->verifies(statement(one.by, review.signed_text), one.signature))
      return standing.why.push_back(
          fmt::format("the signature of {} is not over what stands in `signed`", one.by));
    if (current) standing.signed_by.push_back(one.by);
  }

  model::Gateway& gateway_;
  Resolver resolver_;
  const Keys keys_;
};

}  // namespace

Settled settle(model::Gateway& gateway, const Authorities& authorities) {
  return Settler(gateway, authorities).run();
}

std::string_view to_string(State state) {
  constexpr std::array<std::string_view, 6> kNames{
#define SALLYPORT_REVIEW_STATE(id, name, help) name,
      SALLYPORT_REVIEW_STATES(SALLYPORT_REVIEW_STATE)
#undef SALLYPORT_REVIEW_STATE
  };
  return kNames.at(static_cast<std::size_t>(state));
}

std::int32_t grace_days(const model::ReviewRules& rules) {
  return rules.on_expiry == model::OnExpiry::kDeny ? 0 : kGraceDays;
}

Verdict judge(const model::Conduit& conduit, const Standing& standing,
              const model::ReviewRules& rules, std::optional<std::int32_t> today) {
  if (!conduit.review) return {State::kUnreviewed, {}, "it has no review"};
  const model::Review& review = *conduit.review;
  Verdict out;
  out.state = State::kValid;
  out.why = joined(standing.why);
  if (today && review.expires_day != 0) out.days_left = review.expires_day - *today;
  if (!review.stands) {
    out.state = standing.broken ? State::kVoid : State::kUnsigned;
    return out;
  }
  if (!out.days_left || *out.days_left >= 0) return out;
  const std::int32_t left = *out.days_left + grace_days(rules);
  out.state = left >= 0 ? State::kEnded : State::kLapsed;
  out.why = left >= 0 ? fmt::format("its review ended {} days ago; it denies in {} days",
                                    -*out.days_left, left + 1)
                      : fmt::format("its review ended {} days ago", -*out.days_left);
  return out;
}

}  // namespace sallyport::review
