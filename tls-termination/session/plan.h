// What a snapshot asks of the terminator, as values: one plan per conduit that is terminated or
// inspected. Two plans that compare equal mean the same to every session.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/base/net.h"
#include "policy/base/result.h"
#include "policy/base/units.h"
#include "policy/wire/snapshot.h"
#include "tls-termination/credentials/key_store.h"

namespace sallyport::terminator {

struct ListenAddress {
  std::string segment;
  IpAddress address;
  std::uint16_t port = 0;
  friend auto operator<=>(const ListenAddress&, const ListenAddress&) = default;
};

struct ModbusPlan {
  std::vector<std::uint8_t> functions;
  std::vector<std::uint8_t> units;
  friend bool operator==(const ModbusPlan&, const ModbusPlan&) = default;
};

// For how long nothing may move; nothing: Timeouts of the same name.
struct Silences {
  std::optional<Duration> idle;
  std::optional<Duration> half_closed;
  friend bool operator==(const Silences&, const Silences&) = default;
};

struct ConduitPlan {
  std::string name;
  std::uint32_t rule = wire::kNoRule;  // slot of the Terminate rule: what credits are counted by
  std::vector<ListenAddress> listen;
  bool tls_listener = false;
  ListenerCredentials listener;  // meaningful if tls_listener
  bool tls_server = false;
  ServerCredentials server;  // meaningful if tls_server; server_name also for plain names
  std::vector<IpAddress> server_addresses;
  std::uint16_t server_port = 0;
  std::uint16_t server_segment_slot = 0;
  std::string server_segment;
  std::uint32_t inflight = 0;
  Silences silences;
  std::optional<ModbusPlan> modbus;

  // Names of the credentials it uses.
  std::vector<std::string> credentials() const;
};
// Does a running session still do what the conduit says? Where it listens and how many may start
// at once does not concern it; for how long it may be silent is told to it.
bool same_meaning(const ConduitPlan& a, const ConduitPlan& b);

inline constexpr std::uint32_t kDefaultInflight = 64;

// Plans of all reviewed conduits with a termination. kInvalid "plan-..." if the snapshot asks for
// what cannot be (verify() has checked the references already).
Result<std::vector<ConduitPlan>> plans_of(const wire::SnapshotView& snapshot);

}  // namespace sallyport::terminator
