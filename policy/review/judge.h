// Whether a conduit's review holds: by its signatures (settle), by its dates (judge).
//
// Pure; `today` and the hashes of CAs are arguments. Thread: none shared. Takes about 0.1 ms for
// each signature, so callers with a main loop run it beside it. Source:
// docs/design/0008-review.md, 2.4.7.2.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/model/diagnostic.h"
#include "policy/model/model.h"
#include "policy/review/parts.h"

namespace sallyport::review {

// Days after a review's end for which the conduit still holds, with an alert each day, unless
// `on-expiry: deny`.
inline constexpr std::int32_t kGraceDays = 30;

// What the signatures of one conduit's review come to.
struct Standing {
  std::vector<std::string> signed_by;  // reviewers whose signatures hold
  std::vector<std::string> why;        // what does not, one sentence each
  bool broken = false;                 // something does not hold, not only too few have signed
};

struct Settled {
  std::vector<Standing> standings;  // as the gateway's conduits
  model::Diagnostics errors;        // the rules themselves are unusable
  model::Diagnostics warnings;      // conduits whose review does not stand, or not whole
};
// Sets Review::stands of every conduit with a review.
Settled settle(model::Gateway& gateway, const Authorities& authorities);

#define SALLYPORT_REVIEW_STATES(X)                                                  \
  X(kValid, "valid", "it is permitted")                                             \
  X(kEnded, "ended", "its review has ended, it is still permitted, an alert a day") \
  X(kLapsed, "lapsed", "its review has ended and it denies")                        \
  X(kVoid, "void", "what was signed is not what is there: it denies")               \
  X(kUnsigned, "unsigned", "too few reviewers have signed: it denies")              \
  X(kUnreviewed, "unreviewed", "there is no review: it denies")

enum class State : std::uint8_t {
#define SALLYPORT_REVIEW_STATE(id, name, help) id,
  SALLYPORT_REVIEW_STATES(SALLYPORT_REVIEW_STATE)
#undef SALLYPORT_REVIEW_STATE
};
std::string_view to_string(State state);

struct Verdict {
  State state = State::kUnreviewed;
  // Until the review ends; negative afterwards. Nothing without a review, an end or a trusted
  // clock.
  std::optional<std::int32_t> days_left;
  std::string why;  // one line, for people
};
Verdict judge(const model::Conduit& conduit, const Standing& standing,
              const model::ReviewRules& rules, std::optional<std::int32_t> today);
// Days that an ended review goes on to hold.
std::int32_t grace_days(const model::ReviewRules& rules);

}  // namespace sallyport::review
