// The engine's life with revisions; what it does with connections is in engine_traffic.cc.
#include "tls-termination/session/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tls-termination/session/listener.h"

namespace sallyport::terminator {

Engine::Engine(Loop& loop, SocketSource& sockets, KeyStore keys, Journal& journal,
               EngineOptions options)
    : loop_(loop), sockets_(sockets), keys_(std::move(keys)), journal_(journal), options_(options) {
  loop_.set_timer(*this, loop_.now() + kMendInterval);
}

Engine::~Engine() {
  loop_.cancel_timer(*this);
  conversations_.clear();
}

// Builds what a plan needs; a fault of its credentials is kept in `closed`.
Engine::ConduitState Engine::load(ConduitPlan plan) const {
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
bool Engine::may_stay_closed(const std::string& name, const ConduitPlan& plan) const {
  if (in_force_.revision == 0) return true;
  const auto known = in_force_.conduits.find(name);
  return known != in_force_.conduits.end() && known->second.closed &&
         same_meaning(known->second.terms->plan, plan);
}

void Engine::prepare(os::Mapping snapshot, std::uint64_t revision, Done done) {
  if (preparation_) {
    const auto older = std::exchange(preparation_, nullptr);
    if (older->done)
      std::exchange(older->done,
                    nullptr)(fail(ErrorKind::kUnavailable, "superseded", "a newer revision came"));
  }
  const auto view = wire::SnapshotView::verify(snapshot.bytes());
  if (!view) return done(fail(view.error()));
  if (view->revision() != revision)
    return done(fail(ErrorKind::kInvalid, "snapshot-wrong-revision",
                     "the snapshot is not of the revision announced"));
  auto plans = plans_of(*view);
  if (!plans) return done(fail(plans.error()));

  auto preparation = std::make_shared<Preparation>();
  preparation->done = std::move(done);
  preparation->next.revision = revision;
  preparation->next.snapshot = std::make_shared<const Snapshot>(std::move(snapshot), *view);
  std::vector<std::pair<ListenAddress, std::string>> missing;
  for (ConduitPlan& plan : *plans) {
    const std::string name = plan.name;
    ConduitState state = load(std::move(plan));
    if (state.closed && !may_stay_closed(name, state.terms->plan))
      return std::exchange(preparation->done, nullptr)(
          fail(state.closed->kind, state.closed->code,
               fmt::format("conduit {}: {}", name, state.closed->context)));
    if (!state.closed)
      for (const ListenAddress& where : state.terms->plan.listen)
        if (!listeners_.contains(where)) missing.emplace_back(where, name);
    preparation->next.conduits.emplace(name, std::move(state));
  }
  preparation_ = preparation;
  preparation->waiting = static_cast<unsigned>(missing.size()) + 1;
  for (const auto& [where, name] : missing) open_listener(where, name, preparation);
  if (preparation_ == preparation) {
    --preparation->waiting;
    prepared(*preparation);
  }
}

void Engine::open_listener(const ListenAddress& where, const std::string& conduit,
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

void Engine::listener_done(Preparation& preparation, const ListenAddress& where,
                           const std::string& conduit, Result<std::unique_ptr<Listener>> outcome) {
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
void Engine::prepared(Preparation& preparation) {
  if (preparation.waiting > 0 || preparation.activated) return;
  const auto keep = preparation_;
  Done done = std::exchange(preparation.done, nullptr);
  if (preparation.error) {
    preparation_ = nullptr;
    return done(fail(*preparation.error));
  }
  preparation.activated = true;
  use_resolvers(preparation.next);
  for (auto& [where, listener] : preparation.opened) listener->resume();
  done({});
}

Result<void> Engine::commit(std::uint64_t revision) {
  if (in_force_.revision == revision && !preparation_) return {};
  if (!preparation_ || !preparation_->activated || preparation_->next.revision != revision)
    return fail(ErrorKind::kUsage, "not-prepared",
                fmt::format("revision {} was not prepared", revision));
  const auto preparation = std::exchange(preparation_, nullptr);
  in_force_ = std::move(preparation->next);
  listeners_.merge(preparation->opened);
  release_unused(in_force_.conduits);
  for (auto& [name, state] : in_force_.conduits)
    if (state.closed) close_conduit(name, state, *state.closed);
  std::vector<std::shared_ptr<Conversation>> gone;
  for (const auto& [key, conversation] : conversations_) {
    const auto now = in_force_.conduits.find(conversation->terms().plan.name);
    if (now == in_force_.conduits.end() || now->second.closed ||
        !same_meaning(now->second.terms->plan, conversation->terms().plan))
      gone.push_back(conversation);
  }
  for (const auto& conversation : gone)
    conversation->cut(fmt::format("revision {} no longer allows it", revision));
  return {};
}

Result<void> Engine::abort(std::uint64_t revision) {
  if (!preparation_ || preparation_->next.revision != revision) return {};
  const auto preparation = std::exchange(preparation_, nullptr);
  if (preparation->done)
    std::exchange(preparation->done,
                  nullptr)(fail(ErrorKind::kUnavailable, "aborted", "the revision was given up"));
  if (in_force_.snapshot) use_resolvers(in_force_);
  // Sessions that came in by the new listeners go with them.
  std::vector<std::shared_ptr<Conversation>> gone;
  for (const auto& [key, conversation] : conversations_) {
    const auto now = in_force_.conduits.find(conversation->terms().plan.name);
    if (now == in_force_.conduits.end() ||
        !same_meaning(now->second.terms->plan, conversation->terms().plan))
      gone.push_back(conversation);
  }
  for (const auto& conversation : gone)
    conversation->cut(fmt::format("revision {} was given up", revision));
  return {};
}

// Closes listeners that no open conduit has; hands the others to their conduit of today.
void Engine::release_unused(const Conduits& conduits) {
  std::map<ListenAddress, std::string> wanted;
  for (const auto& [name, state] : conduits)
    if (!state.closed)
      for (const ListenAddress& where : state.terms->plan.listen) wanted[where] = name;
  for (auto at = listeners_.begin(); at != listeners_.end();) {
    const auto owner = wanted.find(at->first);
    if (owner == wanted.end()) {
      at = listeners_.erase(at);
      continue;
    }
    at->second->give_to(owner->second);
    ++at;
  }
}

void Engine::close_conduit(const std::string& name, ConduitState& state, Error error) {
  const nlohmann::json text = {{"conduit", name}, {"code", error.code}, {"context", error.context}};
  state.closed = std::move(error);
  tell(accounts_[name], "conduit-closed", text.dump());
}

void Engine::use_resolvers(const Revision& revision) {
  std::vector<IpAddress> servers;
  for (const wire::Address* address : *revision.snapshot->view.root().resolvers())
    servers.push_back(wire::to_ip(*address));
  resolver_snapshot_ = revision.snapshot;
  for (const auto& [name, state] : revision.conduits) {
    const ConduitPlan& plan = state.terms->plan;
    if (!plan.server_addresses.empty()) continue;
    Resolver& resolver = this->resolver(plan);
    resolver.configure(servers, [snapshot = revision.snapshot,
                                 segment = plan.server_segment_slot](const IpAddress& address) {
      const decide::Location where = snapshot->classifier.locate(address);
      return where.segment == segment && snapshot->classifier.may_be_named(where);
    });
  }
}

Resolver& Engine::resolver(const ConduitPlan& plan) {
  auto& resolver = resolvers_[plan.server_segment];
  if (!resolver) resolver = std::make_unique<Resolver>(loop_, sockets_, plan.server_segment);
  return *resolver;
}

void Engine::attach_ring(os::Mapping memory, std::uint32_t generation) {
  handover_.attach(std::move(memory), generation);
}

// Tries closed conduits of the revision in force again.
void Engine::mend() {
  if (preparation_ || in_force_.revision == 0) return;
  for (auto& [name, state] : in_force_.conduits) {
    if (!state.closed) continue;
    ConduitState fresh = load(state.terms->plan);
    if (fresh.closed) {
      state.closed = fresh.closed;
      continue;
    }
    for (const ListenAddress& where : fresh.terms->plan.listen) {
      if (listeners_.contains(where)) continue;
      sockets_.open(where.segment, where.address.version(), SocketKind::kStream,
                    [this, where, conduit = name, fresh](Result<os::UniqueFd> socket) {
                      const auto now = in_force_.conduits.find(conduit);
                      if (!socket || now == in_force_.conduits.end() ||
                          listeners_.contains(where) ||
                          !same_meaning(now->second.terms->plan, fresh.terms->plan))
                        return;
                      auto listener = Listener::open(*this, *std::move(socket), where, conduit);
                      if (!listener) {
                        now->second.closed = listener.error();
                        return;
                      }
                      if (now->second.closed) {
                        now->second = fresh;
                        tell(accounts_[conduit], "conduit-opened",
                             nlohmann::json{{"conduit", conduit}}.dump());
                      }
                      (*listener)->resume();
                      listeners_[where] = *std::move(listener);
                    });
    }
  }
}

void Engine::on_timer() {
  loop_.set_timer(*this, loop_.now() + kMendInterval);
  handover_.poll(loop_.now(), options_.timeouts.handshake);
  mend();
}

std::string Engine::reload() {
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

}  // namespace sallyport::terminator
