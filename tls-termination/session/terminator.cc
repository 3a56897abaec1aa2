// The front's life with revisions; what it does with connections is in terminator_traffic.cc.
#include "tls-termination/session/terminator.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/base/check.h"
#include "tls-termination/session/listener.h"

namespace sallyport::terminator {
namespace {

constexpr auto kTick = std::chrono::seconds(1);

auto superseded() { return fail(ErrorKind::kUnavailable, "superseded", "a newer revision came"); }

}  // namespace

Result<std::unique_ptr<Terminator>> Terminator::create(Loop& loop, SocketSource& sockets,
                                                       KeyStore keys, Journal& journal,
                                                       const TerminatorOptions& options) {
  SALLYPORT_CHECK(options.engines > 0);
  SALLYPORT_TRY(std::unique_ptr<Mailbox> mailbox, Mailbox::create(loop));
  std::unique_ptr<Terminator> out(
      new Terminator(loop, sockets, std::move(keys), journal, options, std::move(mailbox)));
  for (unsigned number = 0; number < options.engines; ++number) {
    SALLYPORT_TRY(out->engines_.emplace_back(),
                  EngineThread::start(number, {out->mailbox_, sockets, *out}, options.timeouts,
                                      options.clock));
  }
  return out;
}

Terminator::Terminator(Loop& loop, SocketSource& sockets, KeyStore keys, Journal& journal,
                       const TerminatorOptions& options, std::unique_ptr<Mailbox> mailbox)
    : loop_(loop),
      sockets_(sockets),
      keys_(std::move(keys)),
      journal_(journal),
      options_(options),
      mailbox_(std::move(mailbox)),
      places_(options.places),
      next_mend_(loop.now() + kMendInterval),
      loads_(options.engines) {
  loop_.set_timer(*this, loop_.now() + kTick);
}

Terminator::~Terminator() {
  loop_.cancel_timer(*this);
  engines_.clear();
  // Listeners take themselves out of the lists of those that wait.
  preparation_.reset();
  listeners_.clear();
}

// Builds what a plan needs; a fault of its credentials is kept in `closed`.
Terminator::ConduitState Terminator::load(ConduitPlan plan) const {
  ConduitState state;
  const auto known = in_force_.conduits.find(plan.name);
  state.stamp = keys_.stamp(plan.credentials());
  auto terms = std::make_shared<Terms>();
  if (plan.modbus) terms->modbus = ModbusRules::make(plan.modbus->functions, plan.modbus->units);
  const auto fill = [&](Result<Loaded> loaded, std::optional<Context>& into) {
    if (!loaded) {
      state.closed = loaded.error();
      return;
    }
    into.emplace(std::move(loaded->context));
    state.facts.insert(state.facts.end(), loaded->facts.begin(), loaded->facts.end());
  };
  if (known != in_force_.conduits.end() && !known->second.closed &&
      known->second.stamp == state.stamp && same_meaning(known->second.terms->plan, plan)) {
    // Contexts are shared by reference; nothing is read again.
    terms->listener = known->second.terms->listener;
    terms->server = known->second.terms->server;
    state.facts = known->second.facts;
  } else {
    if (plan.tls_listener) fill(keys_.listener(plan.listener, options_.wall_s()), terms->listener);
    if (plan.tls_server && !state.closed)
      fill(keys_.client(plan.server, options_.wall_s()), terms->server);
  }
  if (plan.listen.empty() && !state.closed)
    state.closed = Error{ErrorKind::kInvalid, "no-listen-address",
                         "its segments have no address of the gateway"};
  terms->plan = std::move(plan);
  state.terms = std::move(terms);
  return state;
}

// What a revision may do without: after a start anything, later what was closed before it.
bool Terminator::may_stay_closed(const std::string& name, const ConduitPlan& plan) const {
  if (in_force_.revision == 0) return true;
  const auto known = in_force_.conduits.find(name);
  return known != in_force_.conduits.end() && known->second.closed &&
         same_meaning(known->second.terms->plan, plan);
}

// The part of preparing that needs nobody else: the snapshot and the credentials.
Result<std::shared_ptr<Terminator::Preparation>> Terminator::begin(os::Mapping snapshot,
                                                                   std::uint64_t revision) const {
  SALLYPORT_TRY(const auto view, wire::SnapshotView::verify(snapshot.bytes()));
  if (view.revision() != revision)
    return fail(ErrorKind::kInvalid, "snapshot-wrong-revision",
                "the snapshot is not of the revision announced");
  SALLYPORT_TRY(std::vector<ConduitPlan> plans, plans_of(view));
  auto out = std::make_shared<Preparation>();
  out->next.revision = revision;
  out->next.snapshot = std::make_shared<const Snapshot>(std::move(snapshot), view);
  for (ConduitPlan& plan : plans) {
    const std::string name = plan.name;
    ConduitState state = load(std::move(plan));
    if (state.closed && !may_stay_closed(name, state.terms->plan))
      return fail(state.closed->kind, state.closed->code,
                  fmt::format("conduit {}: {}", name, state.closed->context));
    out->next.conduits.emplace(name, std::move(state));
  }
  return out;
}

void Terminator::prepare(os::Mapping snapshot, std::uint64_t revision, Done done) {
  if (preparation_) {
    const auto older = std::exchange(preparation_, nullptr);
    if (older->done) std::exchange(older->done, nullptr)(superseded());
  }
  auto preparation = begin(std::move(snapshot), revision);
  if (!preparation) return done(fail(preparation.error()));
  preparation_ = *preparation;
  preparation_->done = std::move(done);
  open_missing(*preparation);
}

void Terminator::open_missing(const std::shared_ptr<Preparation>& preparation) {
  std::vector<std::pair<ListenAddress, std::string>> missing;
  for (const auto& [name, state] : preparation->next.conduits)
    if (!state.closed)
      for (const ListenAddress& where : state.terms->plan.listen)
        if (!listeners_.contains(where)) missing.emplace_back(where, name);
  preparation->waiting = missing.size() + 1;
  for (const auto& [where, name] : missing) open_listener(where, name, preparation);
  if (preparation_ != preparation) return;
  --preparation->waiting;
  prepared(*preparation);
}

void Terminator::open_listener(const ListenAddress& where, const std::string& conduit,
                               const std::weak_ptr<Preparation>& preparation) {
  sockets_.open(where.segment, where.address.version(), SocketKind::kStream,
                [this, where, conduit, preparation](Result<os::UniqueFd> socket) {
                  const auto still = preparation.lock();
                  if (!still || still != preparation_) return;
                  if (!socket) {
                    listener_done(*still, where, conduit, fail(socket.error()));
                  } else {
                    listener_done(*still, where, conduit,
                                  Listener::open(*this, *std::move(socket), where, conduit));
                  }
                });
}

void Terminator::listener_done(Preparation& preparation, const ListenAddress& where,
                               const std::string& conduit,
                               Result<std::unique_ptr<Listener>> outcome) {
  if (outcome) {
    preparation.opened[where] = *std::move(outcome);
  } else if (ConduitState& state = preparation.next.conduits.at(conduit);
             may_stay_closed(conduit, state.terms->plan)) {
    state.closed = outcome.error();
  } else if (!preparation.error) {
    preparation.error = outcome.error();
  }
  --preparation.waiting;
  prepared(preparation);
}

// Called whenever something of the preparation came back; acts when the last one did.
void Terminator::prepared(Preparation& preparation) {
  if (preparation.waiting > 0 || preparation.activated) return;
  const auto keep = preparation_;
  const Done done = std::exchange(preparation.done, nullptr);
  if (preparation.error) {
    preparation_ = nullptr;
    return done(fail(*preparation.error));
  }
  preparation.activated = true;
  use_resolvers(preparation.next);
  for (auto& [where, listener] : preparation.opened) listener->resume();
  done({});
}

void Terminator::commit(std::uint64_t revision, Done done) {
  if (in_force_.revision == revision && !preparation_) return done({});
  if (!preparation_ || !preparation_->activated || preparation_->next.revision != revision)
    return done(fail(ErrorKind::kUsage, "not-prepared",
                     fmt::format("revision {} was not prepared", revision)));
  const auto preparation = std::exchange(preparation_, nullptr);
  in_force_ = std::move(preparation->next);
  listeners_.merge(preparation->opened);
  release_unused(in_force_.conduits);
  for (auto& [name, state] : in_force_.conduits)
    if (state.closed) close_conduit(name, state, *state.closed);
  divide_places();
  keep_only(in_force_.conduits, fmt::format("revision {} no longer allows it", revision),
            std::move(done));
}

void Terminator::abort(std::uint64_t revision, Done done) {
  if (!preparation_ || preparation_->next.revision != revision) return done({});
  const auto preparation = std::exchange(preparation_, nullptr);
  if (preparation->done)
    std::exchange(preparation->done,
                  nullptr)(fail(ErrorKind::kUnavailable, "aborted", "the revision was given up"));
  if (in_force_.snapshot) use_resolvers(in_force_);
  // Sessions that came in by the new listeners go with them.
  keep_only(in_force_.conduits, fmt::format("revision {} was given up", revision), std::move(done));
}

// Cuts what is not of these conduits, in every engine; `done` when the last one has.
void Terminator::keep_only(const Conduits& conduits, std::string why, Done done) {
  auto kept = std::make_shared<KeptPlans>();
  for (const auto& [name, state] : conduits)
    if (!state.closed) kept->emplace(name, state.terms->plan);
  ask_engines(
      [kept = std::shared_ptr<const KeptPlans>(std::move(kept)),
       why = std::move(why)](Engine& engine) {
        engine.keep_only(*kept, why);
        return EngineShare();
      },
      [done = std::move(done)](const std::vector<EngineShare>&) { done({}); });
}

// Closes listeners that no open conduit has; hands the others to their conduit of today.
void Terminator::release_unused(const Conduits& conduits) {
  std::map<ListenAddress, std::string> wanted;
  for (const auto& [name, state] : conduits)
    if (!state.closed)
      for (const ListenAddress& where : state.terms->plan.listen) wanted[where] = name;
  std::erase_if(listeners_, [&wanted](const auto& one) { return !wanted.contains(one.first); });
  for (const auto& [where, listener] : listeners_) {
    forget_waiting(*listener);
    listener->give_to(wanted.at(where));
    listener->resume();
  }
}

void Terminator::close_conduit(const std::string& name, ConduitState& state, Error error) {
  state.closed = std::move(error);
  Account& books = account(name);
  if (!books.events.allow(loop_.now())) return;
  tell("conduit-closed",
       {{"conduit", name}, {"code", state.closed->code}, {"context", state.closed->context}});
}

void Terminator::use_resolvers(const Revision& revision) {
  auto plan = std::make_shared<ResolverPlan>();
  for (const wire::Address* address : *revision.snapshot->view.root().resolvers())
    plan->servers.push_back(wire::to_ip(*address));
  for (const auto& [name, state] : revision.conduits) {
    const ConduitPlan& conduit = state.terms->plan;
    if (!conduit.server_addresses.empty()) continue;
    plan->segments[conduit.server_segment] =
        [snapshot = revision.snapshot,
         segment = conduit.server_segment_slot](const IpAddress& address) {
          const decide::Location where = snapshot->classifier.locate(address);
          return where.segment == segment && snapshot->classifier.may_be_named(where);
        };
  }
  for (const auto& engine : engines_)
    engine->post(
        [plan = std::shared_ptr<const ResolverPlan>(plan)](Engine& e) { e.use_resolvers(*plan); });
}

// Tries closed conduits of the revision in force again.
void Terminator::mend() {
  if (preparation_ || in_force_.revision == 0) return;
  for (auto& [name, state] : in_force_.conduits) {
    if (!state.closed) continue;
    ConduitState fresh = load(state.terms->plan);
    if (fresh.closed) {
      state.closed = fresh.closed;
      continue;
    }
    for (const ListenAddress& where : fresh.terms->plan.listen)
      if (!listeners_.contains(where))
        sockets_.open(where.segment, where.address.version(), SocketKind::kStream,
                      [this, where, conduit = name, fresh](Result<os::UniqueFd> socket) {
                        reopened(conduit, where, fresh, std::move(socket));
                      });
  }
}

void Terminator::reopened(const std::string& name, const ListenAddress& where,
                          const ConduitState& fresh, Result<os::UniqueFd> socket) {
  const auto now = in_force_.conduits.find(name);
  if (!socket || now == in_force_.conduits.end() || listeners_.contains(where) ||
      !same_meaning(now->second.terms->plan, fresh.terms->plan))
    return;
  auto listener = Listener::open(*this, *std::move(socket), where, name);
  if (!listener) {
    now->second.closed = listener.error();
    return;
  }
  if (now->second.closed) {
    now->second = fresh;
    tell("conduit-opened", {{"conduit", name}});
  }
  (*listener)->resume();
  listeners_[where] = *std::move(listener);
}

void Terminator::on_timer() {
  loop_.set_timer(*this, loop_.now() + kTick);
  handover_.poll(loop_.now());
  handover_.expire(loop_.now(), options_.timeouts.handshake);
  for (auto& [name, books] : accounts_) note_left_out(books);
  if (loop_.now() < next_mend_) return;
  next_mend_ = loop_.now() + kMendInterval;
  mend();
}

std::string Terminator::reload() {
  nlohmann::json out = {{"reloaded", nlohmann::json::array()}, {"failed", nlohmann::json::array()}};
  for (auto& [name, state] : in_force_.conduits) {
    if (state.closed || state.stamp == keys_.stamp(state.terms->plan.credentials())) continue;
    ConduitState fresh = load(state.terms->plan);
    if (fresh.closed) {
      // What is broken on disk does not take down what works in memory.
      out["failed"].push_back(
          {{"conduit", name}, {"code", fresh.closed->code}, {"context", fresh.closed->context}});
      continue;
    }
    state = std::move(fresh);
    out["reloaded"].push_back(name);
  }
  mend();
  return out.dump();
}

std::string Terminator::authorities_json() const {
  return nlohmann::json{{"authorities", keys_.authorities()}}.dump();
}

}  // namespace sallyport::terminator
