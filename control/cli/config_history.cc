// config history, config show.
#include <iostream>

#include "control/cli/config.h"

namespace sallyport::control {
namespace {

constexpr std::size_t kShownDigits = 12;

}  // namespace

int config_history(const Context& context, const ConfigWords&) {
  auto reply = context.client().ask({{"op", "history"}});
  if (!reply) return context.refuse(reply.error());
  if (!context.json)
    for (auto& row : reply->result) {
      row.erase("chain");
      row["sha256"] = row.value("sha256", "").substr(0, kShownDigits);
    }
  return context.print(reply->result);
}

int config_show(const Context& context, const ConfigWords& words) {
  OrderedJson request = {{"op", "revision"}};
  if (words.number != 0) request["number"] = words.number;
  const auto reply = context.client().ask(request);
  if (!reply) return context.refuse(reply.error());
  if (context.json) return context.print(reply->result);
  std::cout << reply->result.value("text", "");
  return kExitDone;
}

}  // namespace sallyport::control
