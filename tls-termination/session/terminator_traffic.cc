// What the front does with connections, what it hears of its engines, and what it tells about both.
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "policy/os/clock.h"
#include "policy/os/log.h"
#include "tls-termination/session/listener.h"
#include "tls-termination/session/socket_address.h"
#include "tls-termination/session/terminator.h"

namespace sallyport::terminator {
namespace {

constexpr int kAcceptsPerRound = 32;

}  // namespace

const Terminator::ConduitState* Terminator::conduit_of(const Listener& listener) const {
  const bool fresh = preparation_ && preparation_->opened.contains(listener.where());
  const Conduits& conduits = fresh ? preparation_->next.conduits : in_force_.conduits;
  const auto found = conduits.find(listener.conduit());
  return found == conduits.end() || found->second.closed ? nullptr : &found->second;
}

void Terminator::accept_from(Listener& listener) {
  for (int i = 0; i < kAcceptsPerRound; ++i)
    if (!accept_one(listener)) return;
}

// Whether the conduit may have one more now; if not, the listener is paused until it may.
bool Terminator::has_room(Listener& listener, const ConduitState& conduit, const Account& books) {
  if (books.counts.in_flight >= conduit.terms->plan.inflight) {
    waiting_for_credit_[&books].insert(&listener);
  } else if (!places_.may_take(books.sessions)) {
    waiting_for_place_.insert(&listener);
  } else {
    return true;
  }
  listener.pause();
  return false;
}

// False when there is nothing more to accept for now.
bool Terminator::accept_one(Listener& listener) {
  const ConduitState* conduit = conduit_of(listener);
  if (conduit == nullptr) {
    listener.pause();
    return false;
  }
  Account& books = account(conduit->terms->plan.name);
  if (!has_room(listener, *conduit, books)) return false;
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  os::UniqueFd accepted(::accept4(listener.fd(), reinterpret_cast<sockaddr*>(&from), &size,
                                  SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!accepted) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) return false;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      // The client still waits in the queue; asking again at once would only burn time.
      if (books.events.allow(loop_.now()))
        os::log::warning(fmt::format("{}: accepting: {}", books.conduit, std::strerror(errno)));
      listener.rest();
      return false;
    }
    return true;  // this one is gone already (accept(2)); the next may be there
  }
  const auto [address, port] = address_and_port(from);
  handover_.poll(loop_.now());
  const std::size_t number = idlest_engine();
  Ticket ticket{
      .account = &books,
      .engine = static_cast<std::uint32_t>(number),
      .grant = handover_.claim(wire::connection_id(address, port, listener.where().port))};
  books.counts.admit();
  places_.take(books.sessions++);
  ++loads_[number].sessions;
  engines_[number]->post(
      [arrival =
           Arrival{std::move(accepted), {address, port}, conduit->terms, ticket, loop_.now()}](
          Engine& engine) mutable { engine.take(std::move(arrival)); });
  return true;
}

// The one with the fewest conversations; among equals, in turn.
std::size_t Terminator::idlest_engine() {
  std::size_t best = next_engine_++ % loads_.size();
  for (std::size_t i = 0; i < loads_.size(); ++i)
    if (loads_[i].sessions < loads_[best].sessions) best = i;
  return best;
}

void Terminator::resume(const std::set<Listener*>& listeners) {
  for (Listener* listener : listeners) listener->resume();
}

void Terminator::forget_waiting(Listener& listener) {
  waiting_for_place_.erase(&listener);
  for (auto& [books, waiting] : waiting_for_credit_) waiting.erase(&listener);
}

void Terminator::divide_places() {
  std::vector<std::size_t> held;
  for (const auto& [name, books] : accounts_) held.push_back(books.sessions);
  places_.divide(in_force_.conduits.size(), held);
  resume(std::exchange(waiting_for_place_, {}));
}

void Terminator::settle(const Ticket& ticket, wire::HandoverOutcome outcome) {
  ticket.account->counts.settle(outcome);
  if (ticket.grant) handover_.give_back(*ticket.grant, outcome);
  if (auto waiting = waiting_for_credit_.extract(ticket.account)) resume(waiting.mapped());
}

void Terminator::leave(const Ticket& ticket) {
  places_.give(ticket.account->sessions--);
  --loads_[ticket.engine].sessions;
  resume(std::exchange(waiting_for_place_, {}));
}

void Terminator::handshake_settled(const Ticket& ticket, wire::HandoverOutcome outcome) {
  mailbox_->post([this, ticket, outcome] { settle(ticket, outcome); });
}

void Terminator::conversation_left(const Ticket& ticket) {
  mailbox_->post([this, ticket] { leave(ticket); });
}

void Terminator::session_ended(SessionEnd end) {
  mailbox_->post([this, end = std::move(end)] { tell_end(end); });
}

void Terminator::requests_refused(RefusedNotice notice) {
  mailbox_->post([this, notice = std::move(notice)] { tell_refused(notice); });
}

void Terminator::tell_end(const SessionEnd& end) {
  const std::string client = endpoint(end.client.address, end.client.port);
  failures_.push_back({end.conduit, client, end.error, options_.wall_s()});
  if (failures_.size() > kFailuresKept) failures_.pop_front();
  if (!end.account->events.allow(loop_.now())) return;
  nlohmann::json text = {{"conduit", end.conduit},
                         {"client", client},
                         {"code", end.error.code},
                         {"context", end.error.context}};
  if (end.server) text["server"] = endpoint(*end.server, end.server_port);
  if (!end.peer.empty()) text["peer"] = end.peer;
  tell(end.error.code == "cut" ? "session-cut" : "session-failed", text);
}

void Terminator::tell_refused(const RefusedNotice& notice) {
  notice.account->requests_refused += notice.count;
  if (!notice.first || !notice.account->events.allow(loop_.now())) return;
  tell("request-refused", {{"conduit", notice.conduit},
                           {"client", endpoint(notice.client.address, notice.client.port)},
                           {"protocol", "modbus"},
                           {"function", notice.first->function},
                           {"unit", notice.first->unit}});
}

void Terminator::note_left_out(Account& books) const {
  if (const std::uint64_t count = books.events.take_left_out(); count > 0)
    os::log::warning(fmt::format("{}: {} more events were not written", books.conduit, count));
}

Account& Terminator::account(const std::string& conduit) {
  Account& books = accounts_[conduit];
  if (books.conduit.empty()) books.conduit = conduit;
  return books;
}

void Terminator::tell(std::string_view kind, const nlohmann::json& text) {
  const std::string json = text.dump();
  os::log::info(fmt::format("{}: {}", kind, json));
  journal_.event(kind, json);
}

// Asks every engine; `done` has all answers, in no order.
void Terminator::ask_engines(const std::function<EngineShare(Engine&)>& question,
                             std::function<void(std::vector<EngineShare>)> done) {
  const std::uint64_t id = next_gathering_++;
  gatherings_[id] = {.waiting = engines_.size(), .shares = {}, .done = std::move(done)};
  for (const auto& thread : engines_)
    thread->post([this, id, question](Engine& engine) {
      mailbox_->post([this, id, share = question(engine)]() mutable {
        Gathering& gathering = gatherings_.at(id);
        gathering.shares.push_back(std::move(share));
        if (--gathering.waiting > 0) return;
        auto whole = gatherings_.extract(id);
        whole.mapped().done(std::move(whole.mapped().shares));
      });
    });
}

const AdmissionCounts* Terminator::counts(const std::string& conduit) const {
  const auto found = accounts_.find(conduit);
  return found == accounts_.end() ? nullptr : &found->second.counts;
}

bool Terminator::alive() const {
  const Instant now = options_.clock();
  return std::ranges::all_of(engines_,
                             [now](const auto& engine) { return engine->goes_round(now); });
}

std::string Terminator::status_json() const {
  nlohmann::json out = {
      {"revision", in_force_.revision},        {"sessions", places_.used()},
      {"max-sessions", places_.total()},       {"sessions-kept-for-each-conduit", places_.share()},
      {"ring-attached", handover_.attached()}, {"grants", handover_.granted()},
      {"engines", nlohmann::json::array()},    {"conduits", nlohmann::json::array()}};
  for (const EngineLoad& load : loads_) out["engines"].push_back({{"sessions", load.sessions}});
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
      one["sessions"] = account->second.sessions;
      one["handshakes"] = {{"admitted", c.admitted},   {"established", c.established},
                           {"failed", c.failed},       {"timed-out", c.timed_out},
                           {"in-flight", c.in_flight}, {"bound", state.terms->plan.inflight}};
      one["requests-refused"] = account->second.requests_refused;
    }
    out["conduits"].push_back(std::move(one));
  }
  return out.dump();
}

void Terminator::sessions(Answer answer) {
  ask_engines([](Engine& engine) { return engine.share(); },
              [this, answer = std::move(answer)](std::vector<EngineShare> shares) {
                nlohmann::json out = {{"total", 0},
                                      {"buffered-bytes", 0},
                                      {"sessions", nlohmann::json::array()},
                                      {"failures", nlohmann::json::array()}};
                std::size_t total = 0;
                std::size_t buffered = 0;
                for (EngineShare& share : shares) {
                  total += share.total;
                  buffered += share.buffered;
                  for (nlohmann::json& one : share.sessions)
                    if (out["sessions"].size() < kMostSessionsShown)
                      out["sessions"].push_back(std::move(one));
                }
                out["total"] = total;
                out["buffered-bytes"] = buffered;
                for (const Failure& failure : failures_)
                  out["failures"].push_back({{"conduit", failure.conduit},
                                             {"client", failure.client},
                                             {"at-s", failure.at_s},
                                             {"code", failure.error.code},
                                             {"context", failure.error.context}});
                answer(out.dump());
              });
}

}  // namespace sallyport::terminator
