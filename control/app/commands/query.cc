// `query WHAT`: asked of the dataplane or the terminator, whose answer is passed on as it is.
#include <algorithm>
#include <array>

#include "control/app/arguments.h"
#include "control/app/commands.h"
#include "control/app/parts.h"
#include "control/app/relay.h"

namespace sallyport::control {
namespace {

constexpr std::uint64_t kMaxTimeoutMs = 120'000;

// What may be asked of a sibling, and who may ask: capturing sees other people's packets.
struct Topic {
  std::string_view what;
  bool terminator;
  bool write;
  std::string_view asked = {};  // what the sibling calls it, if otherwise
};
constexpr std::array kTopics{
    Topic{"status", false, false},
    Topic{"flows", false, false},
    Topic{"drops", false, false},
    Topic{"counters", false, false},
    Topic{"neighbours", false, false},
    Topic{"volumes", false, false},
    Topic{"capture-start", false, true},
    Topic{"capture-read", false, true},
    Topic{"capture-stop", false, true},
    Topic{"trace-start", false, true},
    Topic{"sessions", true, false},
    Topic{"crypto", true, false},
    Topic{"terminator", true, false, "status"},
};

void query(Parts& parts, const Request& request, const Responder& responder) {
  const std::string what = text_of(request.body, "what");
  const auto* topic = std::find_if(kTopics.begin(), kTopics.end(),
                                   [&](const Topic& one) { return one.what == what; });
  if (topic == kTopics.end())
    return responder.refuse("bad-request", "there is no '" + what + "' to ask for");
  if (topic->write && !request.may_write)
    return responder.refuse("not-permitted",
                            "only root and members of the group 'sallyport' may capture");
  Sibling& sibling = topic->terminator ? parts.terminator : parts.dataplane;
  const auto timeout =
      static_cast<std::int64_t>(std::min(number_of(request.body, "timeout_ms", 0), kMaxTimeoutMs));
  const std::string asked(topic->asked.empty() ? topic->what : topic->asked);
  sibling.query(Loop::now(), asked, arguments_of(request.body), Millis(timeout),
                relay_to(responder));
  Loop::wake_now();
}

}  // namespace

Sibling::Answered relay_to(const Responder& responder) {
  return [responder](Result<Sibling::Reply> reply) {
    if (!reply) return responder.refuse(reply.error().code, reply.error().context);
    responder.result_text(reply->json, std::move(reply->fds));
  };
}

void add_query_commands(Commands& commands, Parts& parts) {
  commands.add("query", Access::kRead,
               [&parts](const Request& request, const Responder& responder) {
                 query(parts, request, responder);
               });
}

}  // namespace sallyport::control
