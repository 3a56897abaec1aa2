#include "tls-termination/session/engine.h"

#include <nlohmann/json.hpp>

#include "tls-termination/session/socket_address.h"

namespace sallyport::terminator {
namespace {

// How late a count of refused requests may be told.
constexpr auto kTellInterval = std::chrono::seconds(1);

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

nlohmann::json shown(const Conversation& c, Instant now) {
  nlohmann::json out = {
      {"conduit", c.terms().plan.name}, {"client", endpoint(c.client().address, c.client().port)},
      {"phase", to_string(c.phase())},  {"age-s", seconds(now - c.began())},
      {"bytes-up", c.bytes_up()},       {"bytes-down", c.bytes_down()}};
  if (c.server()) out["server"] = endpoint(*c.server(), c.terms().plan.server_port);
  const SessionFacts& tls = c.tls();
  if (!tls.version.empty())
    out["tls"] = {
        {"version", tls.version}, {"suite", tls.suite}, {"group", tls.group}, {"peer", tls.peer}};
  return out;
}

}  // namespace

Engine::Engine(Loop& loop, SocketSource& sockets, EngineReports& reports, const Timeouts& timeouts)
    : loop_(loop), sockets_(sockets), reports_(reports), timeouts_(timeouts) {}

Engine::~Engine() {
  loop_.cancel_timer(*this);
  conversations_.clear();
}

void Engine::take(Arrival arrival) {
  counts_.admit();
  const auto conversation = std::make_shared<Conversation>(
      *this, std::move(arrival.terms), std::move(arrival.socket), arrival.client,
      Credit(*this, arrival.ticket), arrival.accepted);
  conversations_[conversation.get()] = conversation;
  conversation->start();
}

void Engine::use_resolvers(const ResolverPlan& plan) {
  for (const auto& [segment, judge] : plan.segments) {
    auto& resolver = resolvers_[segment];
    if (!resolver) resolver = std::make_unique<Resolver>(loop_, sockets_, segment);
    resolver->configure(plan.servers, judge);
  }
}

Resolver& Engine::resolver(const ConduitPlan& plan) {
  auto& resolver = resolvers_[plan.server_segment];
  if (!resolver) resolver = std::make_unique<Resolver>(loop_, sockets_, plan.server_segment);
  return *resolver;
}

void Engine::cut_those(const std::function<bool(const Conversation&)>& which,
                       const std::string& why) {
  std::vector<std::shared_ptr<Conversation>> gone;
  for (const auto& [key, conversation] : conversations_)
    if (which(*conversation)) gone.push_back(conversation);
  for (const auto& conversation : gone) conversation->cut(why);
}

void Engine::keep_only(const KeptPlans& plans, const std::string& why) {
  cut_those(
      [&plans](const Conversation& conversation) {
        const ConduitPlan& plan = conversation.terms().plan;
        const auto now = plans.find(plan.name);
        return now == plans.end() || !same_meaning(now->second, plan);
      },
      why);
  for (const auto& [key, conversation] : conversations_)
    if (const auto now = plans.find(conversation->terms().plan.name); now != plans.end())
      conversation->use(now->second.silences);
}

void Engine::cut_all(const std::string& why) {
  cut_those([](const Conversation&) { return true; }, why);
}

void Engine::settled(const Ticket& ticket, wire::HandoverOutcome outcome) noexcept {
  counts_.settle(outcome);
  reports_.handshake_settled(ticket, outcome);
}

void Engine::left(const Ticket& ticket) noexcept { reports_.conversation_left(ticket); }

void Engine::ended(Conversation& conversation, const std::optional<Error>& error) {
  if (error)
    reports_.session_ended({.account = conversation.account(),
                            .conduit = conversation.terms().plan.name,
                            .client = conversation.client(),
                            .server = conversation.server(),
                            .server_port = conversation.terms().plan.server_port,
                            .peer = conversation.tls().peer,
                            .error = *error});
  // Not now: the conversation is still on the stack.
  loop_.defer([this, key = &conversation] { conversations_.erase(key); });
}

void Engine::refused_requests(Conversation& conversation,
                              const std::vector<RefusedRequest>& requests) {
  Refusals& refusals = refusals_[conversation.account()];
  refusals.untold += requests.size();
  if (!refusals.limit.allow(loop_.now())) {
    if (!std::exchange(to_tell_, true)) loop_.set_timer(*this, loop_.now() + kTellInterval);
    return;
  }
  reports_.requests_refused({.account = conversation.account(),
                             .count = std::exchange(refusals.untold, 0),
                             .first = requests.front(),
                             .conduit = conversation.terms().plan.name,
                             .client = conversation.client()});
}

void Engine::on_timer() {
  to_tell_ = false;
  for (auto& [account, refusals] : refusals_)
    if (refusals.untold > 0)
      reports_.requests_refused({.account = account,
                                 .count = std::exchange(refusals.untold, 0),
                                 .first = std::nullopt,
                                 .conduit = {},
                                 .client = {}});
}

bool Engine::books_add_up() const {
  std::uint64_t in_flight = 0;
  for (const auto& [key, conversation] : conversations_) in_flight += conversation->in_flight();
  return counts_.add_up() && counts_.in_flight == in_flight;
}

EngineShare Engine::share() const {
  EngineShare out;
  out.total = conversations_.size();
  for (const auto& [key, conversation] : conversations_) {
    out.buffered += conversation->buffered();
    if (out.sessions.size() < kMostSessionsShown)
      out.sessions.push_back(shown(*conversation, loop_.now()));
  }
  return out;
}

}  // namespace sallyport::terminator
