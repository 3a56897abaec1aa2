// `show WHAT`: what control itself knows.
#include "control/app/arguments.h"
#include "control/app/commands.h"
#include "control/app/derived.h"
#include "control/app/ledger.h"
#include "control/app/parts.h"

namespace sallyport::control {
namespace {

Result<std::string> show_target(const Target& target, const std::string& what) {
  const nlohmann::json result = shown(target.view(), what);
  if (result.is_null())
    return fail(ErrorKind::kUsage, "bad-request", "there is no '" + what + "' to show");
  return row_text(result);
}

void show(Parts& parts, const Ledger& ledger, const Request& request, const Responder& responder) {
  std::string what = text_of(request.body, "what");
  if (what == "events")
    return responder.result(parts.events.to_json(number_of(request.body, "limit", 100)));
  if (what == "quarantine") return responder.result(ledger.quarantined());
  const TargetPtr target = parts.reconciler.in_force();
  if (!target) return responder.result(nlohmann::json::array());
  // Ten thousand conduits as text are longer than a turn of the loop.
  parts.beside.start([target, what = std::move(what)] { return show_target(*target, what); },
                     [responder](const Result<std::string>& text) {
                       if (!text) return responder.refuse(text.error().code, text.error().context);
                       responder.result_text(*text);
                     });
}

}  // namespace

void add_show_commands(Commands& commands, Parts& parts, const Ledger& ledger) {
  commands.add("show", Access::kRead, [&](const Request& request, const Responder& responder) {
    show(parts, ledger, request, responder);
  });
}

}  // namespace sallyport::control
