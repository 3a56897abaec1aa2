// A revision ready to be brought into force: the compiled snapshot in sealed memory, and what
// follows from it for setup and for the ports.
//
// Immutable once made; shared freely. Making one takes up to some seconds for a very large
// configuration, so it is done beside the main loop.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/reconcile/host_plan.h"
#include "policy/compile/compile.h"
#include "policy/model/diagnostic.h"
#include "policy/os/envelope.h"
#include "policy/os/memfd.h"
#include "policy/prove/prove.h"
#include "policy/review/judge.h"

namespace sallyport::control {

// What a target is made from, beside the text.
struct TargetInput : compile::CompileInput {
  // `today` is the day by which reviews are judged at least; this one is the clock's, which counts
  // if the text says that the clock is trusted.
  std::optional<std::int32_t> clock_day;
  review::Authorities authorities;
};

struct Target {
  std::uint64_t revision = 0;
  std::string text;  // the configuration it was compiled from
  compile::Slots slots;
  model::Diagnostics warnings;
  std::optional<std::int32_t> today;  // by which reviews were judged
  review::Authorities authorities;    // by which signatures were judged
  model::ReviewRules review_rules;
  os::UniqueFd memory;  // sealed
  os::Mapping mapping;  // the same, read-only; `verified` borrows it
  std::optional<wire::SnapshotView> verified;
  std::vector<os::PortSpec> ports;
  HostPlan plan;
  // Of these very bytes against this very text. Nothing is brought into force without one that
  // holds.
  prove::Proof proof;

  // Verified once, when it was made: verifying takes longer than a turn of the loop may.
  const wire::SnapshotView& view() const { return *verified; }
  bool proven() const { return proof.revision == revision && proof.holds(); }
};
using TargetPtr = std::shared_ptr<const Target>;

// Text to target: load, compile, seal, prove. Failures: diagnostics, at least one; those of a proof
// that does not hold are no mistakes of the text and have codes that start with prove::kNotProven.
std::expected<TargetPtr, model::Diagnostics> make_target(std::string text, TargetInput input);

// The same without the proof: to ask about, never to bring into force.
std::expected<TargetPtr, model::Diagnostics> make_candidate(std::string text, TargetInput input);

}  // namespace sallyport::control
