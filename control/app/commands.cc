// What sallyctl asks. Reads are answered at once or passed on to the sibling that knows; nothing
// here waits.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/app/control.h"
#include "control/app/derived.h"
#include "policy/explain/explain.h"
#include "policy/explain/question.h"

namespace sallyport::control {
namespace {

using nlohmann::json;
constexpr std::size_t kMaxArguments = 64;
constexpr std::size_t kMaxArgument = 512;
constexpr std::int64_t kMaxTimeoutMs = 120'000;

// What may be asked of a sibling, and who may ask: capturing sees other people's packets.
struct Topic {
  std::string_view what;
  bool terminator;
  bool write;
};
constexpr std::array kTopics{
    Topic{"status", false, false},      Topic{"flows", false, false},
    Topic{"drops", false, false},       Topic{"counters", false, false},
    Topic{"neighbours", false, false},  Topic{"capture-start", false, true},
    Topic{"capture-stop", false, true}, Topic{"sessions", true, false},
    Topic{"crypto", true, false},
};

std::string text_of(const json& body, const char* key) {
  const auto found = body.find(key);
  return found != body.end() && found->is_string() ? found->get<std::string>() : "";
}

std::uint64_t number_of(const json& body, const char* key, std::uint64_t otherwise) {
  const auto found = body.find(key);
  return found != body.end() && found->is_number_unsigned() ? found->get<std::uint64_t>()
                                                            : otherwise;
}

std::vector<std::string> arguments_of(const json& body) {
  std::vector<std::string> out;
  const auto found = body.find("arguments");
  if (found == body.end() || !found->is_array()) return out;
  for (const json& argument : *found)
    if (argument.is_string() && out.size() < kMaxArguments &&
        argument.get_ref<const std::string&>().size() <= kMaxArgument)
      out.push_back(argument.get<std::string>());
  return out;
}

json revision_json(const Revision& revision, std::uint64_t in_force, bool with_text) {
  json out = {{"number", revision.number},
              {"time", revision.time_s},
              {"user", revision.user},
              {"comment", revision.comment},
              {"sha256", revision.sha256},
              {"chain", revision.chain},
              {"state", revision.confirmed ? "confirmed" : "pending"},
              {"in_force", revision.number == in_force}};
  if (with_text) out["text"] = revision.text;
  return out;
}

void relay(const Responder& responder, Result<Sibling::Reply> reply) {
  if (!reply) return responder.refuse(reply.error().code, reply.error().context);
  responder.result_text(reply->json, std::move(reply->fds));
}

}  // namespace

json Control::processes() const {
  const auto one = [](const char* name, const Link& link, std::uint64_t revision) {
    return json{{"name", name},
                {"connected", link.up()},
                {"revision", revision},
                {"detail", link.up() ? "" : link.last_error()}};
  };
  return json::array({one("setup", setup_.link(), 0),
                      one("dataplane", dataplane_.link(), reconciler_.dataplane_revision()),
                      one("terminator", terminator_.link(), reconciler_.terminator_revision())});
}

json Control::status() const {
  const TargetPtr target = reconciler_.in_force();
  const std::uint64_t revision = target ? target->revision : 0;
  const bool everywhere = target && setup_.up() && dataplane_.up() && terminator_.up() &&
                          reconciler_.dataplane_revision() == revision &&
                          reconciler_.terminator_revision() == revision &&
                          reconciler_.step() == Reconciler::Step::kIdle;
  json out = {
      {"ready", booted_},
      {"state", everywhere ? "in-force"
                : target   ? "incomplete"
                           : "nothing-in-force"},
      {"revision", revision},
      {"next", applying_ ? applying_->number : revision},
      {"step", std::string(Reconciler::step_name(reconciler_.step()))},
      {"problem", reconciler_.last_error()},
      {"processes", processes()},
      {"database", {{"connected", database_.connected()}, {"error", database_.last_error()}}},
      {"file",
       {{"path", settings_.config_path}, {"state", to_string(static_cast<int>(file_state_))}}},
      {"events", events_.total()},
      {"version", settings_.version}};
  out["warnings"] = json::array();
  if (target)
    for (const model::Diagnostic& warning : target->warnings)
      out["warnings"].push_back({{"line", warning.at.line},
                                 {"column", warning.at.column},
                                 {"code", warning.code},
                                 {"message", warning.message}});
  return out;
}

void Control::handle(Request request, Responder responder) {
  const std::string op = text_of(request.body, "op");
  if (op == "status") return responder.result(status());
  if (op == "show") return handle_show(request, responder);
  if (op == "query") return handle_query(request, responder);
  if (op == "explain") return handle_explain(std::move(request), responder);
  if (op == "history" || op == "revision") return handle_history(request, responder);
  if (op == "rollback") return handle_rollback(std::move(request), std::move(responder));
  if (op == "apply") {
    if (!request.text)
      return responder.refuse("bad-request", "the configuration's text is not attached");
    std::string text = *std::move(request.text);
    return start_apply(std::move(request), std::move(responder), std::move(text));
  }
  responder.refuse(
      "unknown-operation",
      fmt::format("this sallyport-control ({}) does not know '{}'", settings_.version, op));
}

void Control::handle_show(const Request& request, const Responder& responder) {
  const std::string what = text_of(request.body, "what");
  if (what == "events")
    return responder.result(events_.to_json(number_of(request.body, "limit", 100)));
  const TargetPtr target = reconciler_.in_force();
  if (!target) return responder.result(json::array());
  const auto view = target->view();
  if (!view) return responder.refuse(view.error().code, view.error().context);
  json result = shown(*view, what);
  if (result.is_null())
    return responder.refuse("bad-request", "there is no '" + what + "' to show");
  responder.result(result);
}

void Control::handle_query(const Request& request, const Responder& responder) {
  const std::string what = text_of(request.body, "what");
  const auto* topic = std::find_if(kTopics.begin(), kTopics.end(),
                                   [&](const Topic& one) { return one.what == what; });
  if (topic == kTopics.end())
    return responder.refuse("bad-request", "there is no '" + what + "' to ask for");
  if (topic->write && !request.may_write)
    return responder.refuse("not-permitted",
                            "only root and members of the group 'sallyport' may capture");
  Sibling& sibling = topic->terminator ? terminator_ : dataplane_;
  const auto timeout = static_cast<std::int64_t>(
      std::min<std::uint64_t>(number_of(request.body, "timeout_ms", 0), kMaxTimeoutMs));
  sibling.query(Loop::now(), what, arguments_of(request.body), Millis(timeout),
                [responder](Result<Sibling::Reply> reply) { relay(responder, std::move(reply)); });
  Loop::wake_now();
}

void Control::handle_explain(Request request, const Responder& responder) {
  std::vector<std::string> arguments = arguments_of(request.body);
  if (!request.text) {
    // The dataplane answers, with the very tables that it decides by.
    dataplane_.query(
        Loop::now(), "explain", arguments, Millis(0),
        [responder](Result<Sibling::Reply> reply) { relay(responder, std::move(reply)); });
    return Loop::wake_now();
  }
  beside_.start(
      [text = *std::move(request.text), input = compile_input(history_.next_number()),
       arguments = std::move(arguments)]() mutable -> Result<std::string> {
        const auto target = make_target(std::move(text), std::move(input));
        if (!target) {
          const model::Diagnostic& first = target.error().front();
          return fail(ErrorKind::kInvalid, "config-invalid",
                      fmt::format("the candidate has mistakes, the first in line {}: {}; see "
                                  "`sallyctl config check`",
                                  first.at.line, first.message));
        }
        SALLYPORT_TRY(const auto view, (*target)->view());
        SALLYPORT_TRY(const auto question, explain::parse_question(view, arguments));
        return explain::to_json(explain::explain(view, question));
      },
      [responder](Result<std::string> json_text) {
        if (!json_text) return responder.refuse(json_text.error().code, json_text.error().context);
        responder.result_text(*json_text);
      });
}

void Control::handle_history(const Request& request, const Responder& responder) {
  const std::uint64_t in_force = reconciler_.in_force() ? reconciler_.in_force()->revision : 0;
  if (text_of(request.body, "op") == "history") {
    json out = json::array();
    for (const auto& [number, revision] : history_.all())
      out.push_back(revision_json(revision, in_force, false));
    return responder.result(out);
  }
  const std::uint64_t number = number_of(request.body, "number", in_force);
  const Revision* revision = history_.find(number);
  if (revision == nullptr)
    return responder.refuse("no-such-revision",
                            number == 0 ? "no revision is in force yet"
                                        : fmt::format("there is no revision {}; see `sallyctl "
                                                      "config history`",
                                                      number));
  responder.result(revision_json(*revision, in_force, true));
}

void Control::handle_rollback(Request request, Responder responder) {
  std::uint64_t number = number_of(request.body, "number", 0);
  const std::uint64_t in_force = reconciler_.in_force() ? reconciler_.in_force()->revision : 0;
  if (number == 0)  // the confirmed one before the one in force
    for (const auto& [older, revision] : history_.all())
      if (older < in_force && revision.confirmed) number = older;
  const Revision* revision = history_.find(number);
  if (revision == nullptr || !revision->confirmed)
    return responder.refuse("no-such-revision",
                            number == 0 ? "there is no earlier revision to go back to"
                                        : fmt::format("there is no confirmed revision {}", number));
  std::string comment = text_of(request.body, "comment");
  request.body["comment"] = comment.empty() ? fmt::format("rollback to {}", number)
                                            : fmt::format("rollback to {}: {}", number, comment);
  start_apply(std::move(request), std::move(responder), std::string(revision->text));
}

}  // namespace sallyport::control
