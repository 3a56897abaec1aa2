// sallyctl policy document: the revision in force for people.
#include <iostream>

#include "control/cli/commands.h"

namespace sallyport::control {
namespace {

int policy_document(const Context& context, bool html) {
  const auto reply = context.client().ask({{"op", "document"}, {"html", html}});
  if (!reply) return context.refuse(reply.error());
  if (context.json) return context.print(reply->result);
  std::cout << reply->result.value("text", "");
  return kExitDone;
}

}  // namespace

void add_policy(CLI::App& app, Context& context) {
  CLI::App* policy = app.add_subcommand("policy", "The policy in force as a document");
  policy->require_subcommand(1);
  CLI::App* document = policy->add_subcommand(
      "document",
      "Segments, devices, conduits with reason, reviewer and end, the matrix; the same revision "
      "gives the same bytes");
  const auto html = std::make_shared<bool>(false);
  const auto markdown = std::make_shared<bool>(false);
  CLI::Option* as_html =
      document->add_flag("--html", *html, "one HTML file, the matrix as a picture");
  document->add_flag("--markdown", *markdown, "Markdown; the default")->excludes(as_html);
  document->callback([&context, html, markdown] {
    context.command = [&context, html] { return policy_document(context, *html); };
  });
}

}  // namespace sallyport::control
