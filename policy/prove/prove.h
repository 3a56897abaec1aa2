// The proof that goes with each commit: exactly the flows that the compiled tables may start are
// the flows that reviewed conduits and named services describe. The left side is read from the
// snapshot's bytes by the functions that enforce them, the right side is computed from the model by
// code that the compiler does not share. Every address of both versions, every protocol that is
// carried, every port: nothing is sampled. So are identities, and what the terminator is told.
//
// Valid inputs: a verified snapshot and the model it was compiled from, the same `today` as the
// compiler had. Ownership: the proof is a value. Thread: none shared; a thousand devices and ten
// thousand conduits take a fraction of a second (docs/measurements/policy.md), so it runs beside a
// main loop.
//
// Failures: differences, each with a packet that shows it; `explain` and a real packet confirm it.
// What cannot be shown by a packet today (an end that nobody has) is refused all the same.
// 2.4.7.1, 2.4.7.3. docs/design/0007-proof.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/explain/explain.h"
#include "policy/model/diagnostic.h"
#include "policy/model/model.h"
#include "policy/wire/snapshot.h"

namespace sallyport::prove {

enum class Wrong : std::uint8_t {
  kUndescribed,  // the tables permit what nobody described
  kMissing,      // a reviewed conduit describes what the tables deny
  kOtherRule,    // permitted, but under another rule or treatment than described
  kAmbiguous,    // described by conduits that differ, and one was chosen silently
  kPlace,        // an address lives elsewhere than the model says
  kIdentity,     // a port, segment or device is not what is enrolled
  kTermination,  // a conduit's treatment or what the terminator is told is not the model's
};
std::string_view to_string(Wrong wrong) noexcept;

struct Difference {
  Wrong wrong = Wrong::kUndescribed;
  std::string text;                          // one sentence, names the packet
  std::optional<explain::Question> witness;  // the packet, as explain takes it
  std::string command;                       // the same as `sallyctl explain` takes it
};

// Devices that talk without the gateway: one port, one VLAN, and nobody's word that it isolates.
struct NotEnforceable {
  std::string segment;
  std::string port;
  std::uint16_t vlan = 0;
  std::vector<std::string> devices;
};

struct Proof {
  std::uint64_t revision = 0;
  std::vector<Difference> differences;  // at most kMaxDifferences
  std::size_t differences_omitted = 0;
  std::vector<NotEnforceable> not_enforceable;
  std::size_t intervals = 0;  // of addresses compared
  std::size_t boxes = 0;      // (source class, destination class, protocol) compared
  std::size_t steps = 0;      // of work: what the time is linear in

  bool holds() const { return differences.empty() && differences_omitted == 0; }
};

inline constexpr std::size_t kMaxDifferences = 64;

Proof prove(const wire::SnapshotView& snapshot, const model::Gateway& gateway,
            std::optional<std::int32_t> today);

// A proof that does not hold, as the commit's refusal, with codes that start with kNotProven;
// nothing for one that holds.
inline constexpr std::string_view kNotProven = "proof-";
model::Diagnostics refusal(const Proof& proof);

std::string to_json(const Proof& proof);
std::string to_text(const Proof& proof);

}  // namespace sallyport::prove
