// From a configuration to a snapshot: the only compiler of policy. Names become slots, ends become
// sets of addresses, conduits become rules over classes of addresses; whatever contradicts itself
// is refused before it can be live.
//
// Valid input: any model::Gateway, also one with mistakes: every mistake found is reported, with
// its position and what to write instead. Same input, same bytes. Ownership: plain values. Thread:
// no sharing; takes up to a second for ten thousand conduits, so callers with a main loop run it
// beside it.
//
// Failures: a list of diagnostics, at least one; nothing was made. An internal contradiction (the
// verifier refuses what was built) is reported as code "compiler-bug", never handed out.
//
// What the rules mean is written in docs/design/0002-compiled-policy.md.
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/model/diagnostic.h"
#include "policy/model/model.h"
#include "policy/wire/digest.h"
#include "policy/wire/snapshot.h"

namespace sallyport::compile {

// What stays with a name from one revision to the next. Unknown names get the lowest slot that
// neither they nor the previous revision use, so a slot never changes hands in one step.
struct Slots {
  std::map<std::string, std::uint32_t, std::less<>> ports;
  std::map<std::string, std::uint32_t, std::less<>> segments;
  std::map<std::string, std::uint32_t, std::less<>> devices;
  std::map<std::string, std::uint32_t, std::less<>> conduits;
  // By rule_key(): a conduit has up to one rule of each kind, built-ins are named "builtin:...".
  std::map<std::string, std::uint32_t, std::less<>> rules;
  // By conduit.
  std::map<std::string, std::uint16_t, std::less<>> listener_ports;
  // By (segment, DNS name): the addresses that the segment's resolver answers with.
  std::map<std::pair<std::string, std::string>, std::vector<IpAddress>> virtual_addresses;

  friend bool operator==(const Slots&, const Slots&) = default;
};

// Read back from the snapshot in force, so that control keeps nothing beside it.
Slots slots_of(const wire::SnapshotView& snapshot);
std::string rule_key(std::string_view name, wire::RuleKind kind);

struct CompileInput {
  std::uint64_t revision = 0;
  // Days since 1970-01-01 by a trusted clock; without one nothing expires.
  std::optional<std::int32_t> today;
  // Stable and unique per unit; MACs of segments that name none are derived from it.
  std::uint64_t unit_id = 0;
  std::string config_name = "gateway.yaml";
  wire::Digest config_sha256{};
  Slots previous;
};

struct Compiled {
  std::vector<std::uint8_t> snapshot;  // sealed bytes; SnapshotView::verify accepts them
  Slots slots;
  model::Diagnostics warnings;  // conduits not in force and why, reviews about to end, ...
};

std::expected<Compiled, model::Diagnostics> compile(const model::Gateway& gateway,
                                                    const CompileInput& input);

// Days after a review's end for which the conduit still holds, with a warning each day.
inline constexpr std::int32_t kReviewGraceDays = 30;

}  // namespace sallyport::compile
