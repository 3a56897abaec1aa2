// A snapshot as people read it: rows of the derived tables, answers of `sallyctl show`, dnsmasq's
// configuration. All from the compiled tables, so what is shown is what is enforced.
//
// Pure. Thread: no sharing.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "policy/wire/snapshot.h"

namespace sallyport::control {

using Rows = std::map<std::string, nlohmann::json>;
// Keyed by name, in OVSDB's notation. Tables: Port, Segment, Device, Conduit.
std::map<std::string, Rows> derived_tables(const wire::SnapshotView& snapshot);

// The same as plain JSON arrays; what: ports, segments, devices, conduits. null for anything else.
nlohmann::json shown(const wire::SnapshotView& snapshot, std::string_view what);

// dnsmasq's configuration for each segment that offers dns or dhcp, by segment name.
std::map<std::string, std::string> dnsmasq_configs(const wire::SnapshotView& snapshot);

}  // namespace sallyport::control
