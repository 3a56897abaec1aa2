// `prove`: the proof of the revision in force, read from its sealed bytes, and what they permit.
// The proof itself was made before the revision was brought into force; it is kept with it. Listing
// walks all tables, so it is done beside the loop.
#include "control/app/arguments.h"
#include "control/app/commands.h"
#include "control/app/parts.h"
#include "policy/prove/report.h"

namespace sallyport::control {
namespace {

void prove_in_force(Parts& parts, const Request& request, const Responder& responder) {
  const TargetPtr target = parts.reconciler.in_force();
  if (!target)
    return responder.refuse("no-such-revision",
                            "no revision is in force: everything is denied; next: sallyctl config "
                            "apply FILE");
  parts.beside.start(
      [target, from = text_of(request.body, "from"), to = text_of(request.body, "to")] {
        return prove::report(target->view(), target->proof, from, to);
      },
      [responder](const Result<std::string>& answer) {
        if (!answer) return responder.refuse(answer.error().code, answer.error().context);
        responder.result_text(*answer);
      });
}

}  // namespace

void add_prove_commands(Commands& commands, Parts& parts) {
  commands.add("prove", Access::kRead,
               [&parts](const Request& request, const Responder& responder) {
                 prove_in_force(parts, request, responder);
               });
}

}  // namespace sallyport::control
