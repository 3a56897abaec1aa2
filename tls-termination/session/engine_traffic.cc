// What the engine does with connections, and what it tells about them.
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <nlohmann/json.hpp>

#include "policy/os/log.h"
#include "tls-termination/session/engine.h"
#include "tls-termination/session/listener.h"
#include "tls-termination/session/socket_address.h"

namespace sallyport::terminator {
namespace {

constexpr int kAcceptsPerRound = 32;
constexpr unsigned kEventsPerSecond = 10;  // per conduit
constexpr std::size_t kMostSessionsShown = 1000;

std::string endpoint(const IpAddress& address, std::uint16_t port) {
  return address.is_v4() ? fmt::format("{}:{}", address.to_string(), port)
                         : fmt::format("[{}]:{}", address.to_string(), port);
}

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace

const Engine::ConduitState* Engine::conduit_of(const Listener& listener) const {
  const bool fresh = preparation_ && preparation_->opened.contains(listener.where());
  const Conduits& conduits = fresh ? preparation_->next.conduits : in_force_.conduits;
  const auto found = conduits.find(listener.conduit());
  return found == conduits.end() || found->second.closed ? nullptr : &found->second;
}

void Engine::accept_from(Listener& listener) {
  const ConduitState* conduit = conduit_of(listener);
  if (conduit == nullptr) return listener.pause();
  Account& account = accounts_[conduit->terms->plan.name];
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    if (account.counts.in_flight >= conduit->terms->plan.inflight ||
        conversations_.size() >= options_.max_conversations) {
      any_paused_ = true;
      return listener.pause();
    }
    sockaddr_storage from{};
    socklen_t size = sizeof(from);
    os::UniqueFd accepted(::accept4(listener.fd(), reinterpret_cast<sockaddr*>(&from), &size,
                                    SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted) return;
    const auto [address, port] = address_and_port(from);
    handover_.poll(loop_.now(), options_.timeouts.handshake);
    const auto connection = wire::connection_id(address, port, listener.where().port);
    Credit credit(account.counts, handover_, handover_.claim(connection));
    const auto conversation =
        std::make_shared<Conversation>(*this, conduit->terms, std::move(accepted),
                                       Conversation::Client{address, port}, std::move(credit));
    conversations_[conversation.get()] = conversation;
    conversation->start();
    // The conduit may be gone: what start() told may have led anywhere.
    conduit = conduit_of(listener);
    if (conduit == nullptr) return;
  }
}

void Engine::resume() {
  if (!std::exchange(any_paused_, false)) return;
  for (const auto& [where, listener] : listeners_) listener->resume();
  if (preparation_ && preparation_->activated)
    for (const auto& [where, listener] : preparation_->opened) listener->resume();
}

void Engine::established(Conversation&) { resume(); }

void Engine::ended(Conversation& conversation, const std::optional<Error>& error) {
  const std::string& name = conversation.terms().plan.name;
  if (error) {
    const std::string client = endpoint(conversation.client().address, conversation.client().port);
    const bool cut = error->code == "cut";
    nlohmann::json text = {
        {"conduit", name}, {"client", client}, {"code", error->code}, {"context", error->context}};
    if (conversation.server())
      text["server"] = endpoint(*conversation.server(), conversation.terms().plan.server_port);
    if (!conversation.tls().peer.empty()) text["peer"] = conversation.tls().peer;
    failures_.push_back({name, client, *error, options_.wall_s()});
    if (failures_.size() > kFailuresKept) failures_.pop_front();
    tell(accounts_[name], cut ? "session-cut" : "session-failed", text.dump());
  }
  // Not now: the conversation is still on the stack.
  const auto found = conversations_.find(&conversation);
  if (found == conversations_.end()) return;
  loop_.defer([this, held = found->second] {
    conversations_.erase(held.get());
    resume();
  });
}

void Engine::refused_request(Conversation& conversation, const RefusedRequest& request) {
  const std::string& name = conversation.terms().plan.name;
  Account& account = accounts_[name];
  ++account.requests_refused;
  const nlohmann::json text = {
      {"conduit", name},
      {"client", endpoint(conversation.client().address, conversation.client().port)},
      {"protocol", "modbus"},
      {"function", request.function},
      {"unit", request.unit}};
  tell(account, "request-refused", text.dump());
}

// At most kEventsPerSecond a second for each conduit; what is left out is counted and said later.
void Engine::tell(Account& account, std::string_view kind, const std::string& json) {
  ++account.events;
  if (loop_.now() - account.second >= std::chrono::seconds(1)) {
    account.second = loop_.now();
    account.in_second = 0;
    if (account.suppressed > 0)
      os::log::warning(fmt::format("{} more events were not written", account.suppressed));
    account.suppressed = 0;
  }
  if (++account.in_second > kEventsPerSecond) {
    ++account.suppressed;
    return;
  }
  os::log::info(fmt::format("{}: {}", kind, json));
  journal_.event(kind, json);
}

const AdmissionCounts* Engine::counts(const std::string& conduit) const {
  const auto found = accounts_.find(conduit);
  return found == accounts_.end() ? nullptr : &found->second.counts;
}

std::size_t Engine::buffered() const {
  std::size_t out = 0;
  for (const auto& [key, conversation] : conversations_) out += conversation->buffered();
  return out;
}

std::string Engine::status_json() const {
  nlohmann::json out = {{"revision", in_force_.revision},
                        {"sessions", conversations_.size()},
                        {"max-sessions", options_.max_conversations},
                        {"ring-attached", handover_.attached()},
                        {"grants", handover_.granted()},
                        {"conduits", nlohmann::json::array()}};
  for (const auto& [name, state] : in_force_.conduits) {
    nlohmann::json one = {{"name", name}, {"open", !state.closed.has_value()}};
    if (state.closed)
      one["closed"] = {{"code", state.closed->code}, {"context", state.closed->context}};
    for (const CredentialFact& fact : state.facts)
      one["credentials"].push_back(
          {{"name", fact.name}, {"subject", fact.subject}, {"expires-s", fact.not_after}});
    for (const ListenAddress& where : state.terms->plan.listen)
      if (listeners_.contains(where))
        one["listeners"].push_back(
            {{"segment", where.segment}, {"address", endpoint(where.address, where.port)}});
    if (const auto account = accounts_.find(name); account != accounts_.end()) {
      const AdmissionCounts& c = account->second.counts;
      one["handshakes"] = {{"admitted", c.admitted},   {"established", c.established},
                           {"failed", c.failed},       {"timed-out", c.timed_out},
                           {"in-flight", c.in_flight}, {"bound", state.terms->plan.inflight}};
      one["requests-refused"] = account->second.requests_refused;
    }
    out["conduits"].push_back(std::move(one));
  }
  return out.dump();
}

std::string Engine::sessions_json() const {
  nlohmann::json out = {{"total", conversations_.size()},
                        {"sessions", nlohmann::json::array()},
                        {"failures", nlohmann::json::array()}};
  for (const auto& [key, c] : conversations_) {
    if (out["sessions"].size() >= kMostSessionsShown) break;
    nlohmann::json one = {{"conduit", c->terms().plan.name},
                          {"client", endpoint(c->client().address, c->client().port)},
                          {"phase", to_string(c->phase())},
                          {"age-s", seconds(loop_.now() - c->began())},
                          {"bytes-up", c->bytes_up()},
                          {"bytes-down", c->bytes_down()}};
    if (c->server()) one["server"] = endpoint(*c->server(), c->terms().plan.server_port);
    const SessionFacts& tls = c->tls();
    if (!tls.version.empty())
      one["tls"] = {
          {"version", tls.version}, {"suite", tls.suite}, {"group", tls.group}, {"peer", tls.peer}};
    out["sessions"].push_back(std::move(one));
  }
  for (const Failure& failure : failures_)
    out["failures"].push_back({{"conduit", failure.conduit},
                               {"client", failure.client},
                               {"at-s", failure.at_s},
                               {"code", failure.error.code},
                               {"context", failure.error.context}});
  return out.dump();
}

}  // namespace sallyport::terminator
