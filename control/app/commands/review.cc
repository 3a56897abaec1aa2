// `review`: every conduit of the revision in force with what its review is worth. `authorities`:
// the hashes of CAs that reviewers sign.
#include "policy/review/judge.h"

#include "control/app/commands.h"
#include "control/app/derived.h"
#include "control/app/parts.h"
#include "control/config/load.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

// Signatures are judged anew: it takes as long as a compilation, so beside the loop.
Result<std::string> reviews(const Target& target) {
  auto gateway = load_config(target.text);
  if (!gateway)
    return fail(ErrorKind::kInternal, "config-invalid", "the text in force cannot be read");
  const review::Settled settled = review::settle(*gateway, target.authorities);
  json out = json::array();
  for (std::size_t i = 0; i < gateway->conduits.size(); ++i) {
    const model::Conduit& conduit = gateway->conduits[i];
    const review::Standing& standing = settled.standings[i];
    const review::Verdict verdict =
        review::judge(conduit, standing, gateway->review_rules, target.today);
    json one = {{"conduit", conduit.name},
                {"state", review::to_string(verdict.state)},
                {"days_left", nullptr},
                {"by", conduit.review ? conduit.review->by : ""},
                {"signed_by", standing.signed_by},
                {"why", verdict.why},
                {"line", conduit.at.line}};
    if (verdict.days_left) one["days_left"] = *verdict.days_left;
    out.push_back(std::move(one));
  }
  return row_text(out);
}

void review_in_force(Parts& parts, const Responder& responder) {
  const TargetPtr target = parts.reconciler.in_force();
  if (!target) return responder.result(json::array());
  parts.beside.start([target] { return reviews(*target); },
                     [responder](const Result<std::string>& text) {
                       if (!text) return responder.refuse(text.error().code, text.error().context);
                       responder.result_text(*text);
                     });
}

// Asked anew: the reviewer signs what is there now.
void authorities(Parts& parts, const Responder& responder) {
  parts.terminator.query(Loop::now(), "authorities", {}, Millis(0),
                         [responder](const Result<Sibling::Reply>& reply) {
                           if (!reply)
                             return responder.refuse(reply.error().code, reply.error().context);
                           responder.result_text(reply->json);
                         });
  Loop::wake_now();
}

}  // namespace

void add_review_commands(Commands& commands, Parts& parts) {
  commands.add("review", Access::kRead, [&parts](const Request&, const Responder& responder) {
    review_in_force(parts, responder);
  });
  commands.add("authorities", Access::kRead, [&parts](const Request&, const Responder& responder) {
    authorities(parts, responder);
  });
}

}  // namespace sallyport::control
