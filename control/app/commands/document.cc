// `document`: the revision in force for people, as Markdown or HTML.
#include "policy/document/document.h"

#include <nlohmann/json.hpp>

#include "control/app/arguments.h"
#include "control/app/commands.h"
#include "control/app/derived.h"
#include "control/app/parts.h"
#include "control/config/load.h"

namespace sallyport::control {
namespace {

Result<std::string> document_of(const Target& target, const std::string& chain, bool html) {
  const auto gateway = load_config(target.text);
  if (!gateway)
    return fail(ErrorKind::kInternal, "config-invalid", "the text in force cannot be read");
  const document::Subject subject{*gateway, target.view(), target.proof,
                                  wire::to_hex(wire::sha256(std::string_view(target.text))), chain};
  return row_text({{"revision", target.revision},
                   {"format", html ? "html" : "markdown"},
                   {"text", html ? document::to_html(subject) : document::to_markdown(subject)}});
}

void document_in_force(Parts& parts, const Request& request, const Responder& responder) {
  const TargetPtr target = parts.reconciler.in_force();
  if (!target)
    return responder.refuse("no-such-revision",
                            "no revision is in force: everything is denied; next: sallyctl config "
                            "apply FILE");
  const Revision* revision = parts.history.find(target->revision);
  parts.beside.start(
      [target, chain = revision == nullptr ? std::string() : revision->chain,
       html = flag_of(request.body, "html")] { return document_of(*target, chain, html); },
      [responder](const Result<std::string>& text) {
        if (!text) return responder.refuse(text.error().code, text.error().context);
        responder.result_text(*text);
      });
}

}  // namespace

void add_document_commands(Commands& commands, Parts& parts) {
  commands.add("document", Access::kRead,
               [&parts](const Request& request, const Responder& responder) {
                 document_in_force(parts, request, responder);
               });
}

}  // namespace sallyport::control
