// `show WHAT`: what control itself knows.
#include "control/app/arguments.h"
#include "control/app/commands.h"
#include "control/app/derived.h"
#include "control/app/parts.h"

namespace sallyport::control {
namespace {

void show(const Parts& parts, const Request& request, const Responder& responder) {
  const std::string what = text_of(request.body, "what");
  if (what == "events")
    return responder.result(parts.events.to_json(number_of(request.body, "limit", 100)));
  const TargetPtr target = parts.reconciler.in_force();
  if (!target) return responder.result(nlohmann::json::array());
  const auto view = target->view();
  if (!view) return responder.refuse(view.error().code, view.error().context);
  const nlohmann::json result = shown(*view, what);
  if (result.is_null())
    return responder.refuse("bad-request", "there is no '" + what + "' to show");
  responder.result(result);
}

}  // namespace

void add_show_commands(Commands& commands, Parts& parts) {
  commands.add("show", Access::kRead, [&parts](const Request& request, const Responder& responder) {
    show(parts, request, responder);
  });
}

}  // namespace sallyport::control
