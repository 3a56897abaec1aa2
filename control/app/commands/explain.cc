// `explain`: would this packet pass, and why (not); with "last", why what was dropped was. The
// dataplane answers with the very tables that it decides by; a candidate's text is compiled beside
// the loop and asked here.
#include "policy/explain/explain.h"

#include <fmt/format.h>

#include "control/app/arguments.h"
#include "control/app/commands.h"
#include "control/app/parts.h"
#include "control/app/relay.h"
#include "policy/explain/question.h"

namespace sallyport::control {
namespace {

Result<std::string> explain_candidate(std::string text, TargetInput input,
                                      const std::vector<std::string>& arguments) {
  const auto target = make_candidate(std::move(text), std::move(input));
  if (!target) {
    const model::Diagnostic& first = target.error().front();
    return fail(ErrorKind::kInvalid, "config-invalid",
                fmt::format("the candidate has mistakes, the first in line {}: {}; see "
                            "`sallyctl config check`",
                            first.at.line, first.message));
  }
  const wire::SnapshotView& view = (*target)->view();
  SALLYPORT_TRY(const auto question, explain::parse_question(view, arguments));
  return explain::to_json(explain::explain(view, question));
}

void explain_packet(Parts& parts, Request request, const Responder& responder) {
  std::vector<std::string> arguments = arguments_of(request.body);
  if (!request.text) {
    const char* const what = flag_of(request.body, "last") ? "explain-last" : "explain";
    parts.dataplane.query(Loop::now(), what, arguments, Millis(0), relay_to(responder));
    return Loop::wake_now();
  }
  parts.beside.start(
      [text = *std::move(request.text), input = parts.compile_input(parts.history.next_number()),
       arguments = std::move(arguments)]() mutable {
        return explain_candidate(std::move(text), std::move(input), arguments);
      },
      [responder](const Result<std::string>& json_text) {
        if (!json_text) return responder.refuse(json_text.error().code, json_text.error().context);
        responder.result_text(*json_text);
      });
}

}  // namespace

void add_explain_commands(Commands& commands, Parts& parts) {
  commands.add("explain", Access::kRead, [&parts](Request request, const Responder& responder) {
    explain_packet(parts, std::move(request), responder);
  });
}

}  // namespace sallyport::control
