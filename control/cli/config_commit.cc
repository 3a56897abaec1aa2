// config apply, config rollback, config confirm.
#include <fmt/format.h>
#include <unistd.h>

#include <iostream>

#include "control/cli/config.h"
#include "control/config/load.h"
#include "control/config/tree.h"
#include "control/config/values.h"

namespace sallyport::control {
namespace {

model::Diagnostic to_diagnostic(const OrderedJson& problem) {
  return {{problem.value("line", 0U), problem.value("column", 0U)},
          problem.value("code", ""),
          problem.value("message", ""),
          problem.value("hint", "")};
}

int print_refusal(const Context& context, const CommitRequest& request, Error error,
                  const OrderedJson& refusal) {
  if (refusal.contains("problems")) {
    model::Diagnostics problems;
    for (const auto& one : refusal["problems"]) problems.push_back(to_diagnostic(one));
    print_problems(context, request.file, problems, true);
    if (!context.json) std::cerr << "nothing was changed\n";
    return exit_code(error);
  }
  if (error.code == "confirmation-needed") error.context += "\n  next: the same with --yes";
  return context.refuse(error);
}

int print_success(const Context& context, const CommitRequest& request, const OrderedJson& result) {
  if (context.json) return context.print(result);
  if (result.contains("warnings"))
    for (const auto& warning : result["warnings"])
      std::cerr << "warning: " << format_problem(request.file, to_diagnostic(warning)) << "\n";
  if (result.contains("note")) std::cerr << result.value("note", "") << "\n";
  std::cout << good(fmt::format("revision {} is in force", result.value("revision", 0)),
                    context.style)
            << "\n";
  if (result.contains("reverts_at"))
    std::cout << bad(fmt::format("it goes back by itself at {}, in {} s",
                                 render_time(result.value("reverts_at", std::int64_t{0})),
                                 result.value("confirm_within", 0)),
                     context.style)
              << "\n  next: sallyctl config confirm   (or: sallyctl config rollback)\n";
  return kExitDone;
}

int run_commit(const Context& context, CommitRequest request) {
  const auto connection = context.client().connect();
  if (!connection) return context.refuse(connection.error());
  return commit(context, *connection, std::move(request));
}

}  // namespace

Result<OrderedJson> commit_body(const char* op, const ConfigWords& words) {
  OrderedJson body = {
      {"op", op}, {"comment", words.comment}, {"yes", words.yes}, {"take_over", words.take_over}};
  if (words.base != 0) body["base"] = words.base;
  if (words.number != 0) body["number"] = words.number;
  if (words.confirm_within.empty()) return body;
  const auto seconds = parse_duration(words.confirm_within);
  if (!seconds)
    return fail(ErrorKind::kUsage, "bad-request",
                fmt::format("'{}' is no time to confirm; write 90s, 10m, 2h, up to 7d",
                            words.confirm_within));
  body["confirm_within"] = *seconds;
  return body;
}

bool ask_yes(const std::string& question) {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) return false;
  std::cerr << question << " [y/N] " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

int commit(const Context& context, const Connection& connection, CommitRequest request) {
  OrderedJson refusal;
  auto reply = connection.ask(request.body, request.text, &refusal);
  if (!reply && reply.error().code == "confirmation-needed" &&
      ask_yes(reply.error().context + " Go on?")) {
    request.body["yes"] = true;
    reply = connection.ask(request.body, request.text, &refusal);
  }
  if (!reply) return print_refusal(context, request, reply.error(), refusal);
  return print_success(context, request, reply->result);
}

int config_apply(const Context& context, const ConfigWords& words) {
  auto text = read_config(words.file);
  if (!text) return context.refuse(text.error());
  if (text->size() > kMaxConfigSize || text->empty())
    return print_problems(context, words.file, load_config(*text).error(), true);
  auto body = commit_body("apply", words);
  if (!body) return context.refuse(body.error());
  return run_commit(context, {*std::move(body), *std::move(text), words.file});
}

int config_rollback(const Context& context, const ConfigWords& words) {
  auto body = commit_body("rollback", words);
  if (!body) return context.refuse(body.error());
  return run_commit(context, {*std::move(body), std::nullopt,
                              words.number == 0 ? std::string("the revision before")
                                                : fmt::format("revision {}", words.number)});
}

int config_confirm(const Context& context, const ConfigWords&) {
  const auto reply = context.client().ask({{"op", "confirm"}});
  if (!reply) return context.refuse(reply.error());
  if (context.json) return context.print(reply->result);
  if (reply->result.contains("note")) std::cerr << reply->result.value("note", "") << "\n";
  std::cout << good(fmt::format("revision {} is confirmed", reply->result.value("revision", 0)),
                    context.style)
            << "\n";
  return kExitDone;
}

}  // namespace sallyport::control
