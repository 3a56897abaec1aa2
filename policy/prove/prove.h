// The proof that goes with each commit: exactly the flows that the compiled tables may start are
// the flows that reviewed conduits and named services describe. The left side is read from the
// snapshot's bytes by the functions that enforce them, the right side is computed from the model by
// code that the compiler does not share. Every address of both versions, every protocol that is
// carried, every port: nothing is sampled.
//
// Valid inputs: a verified snapshot and the model it was compiled from, the same `today` as the
// compiler had. Ownership: the proof is a value. Thread: none shared; a thousand devices and ten
// thousand conduits take about a second, so it runs beside a main loop.
//
// Failures: differences, each with a packet that shows it; `explain` and a real packet confirm it.
// 2.4.7.1, 2.4.7.3.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/explain/explain.h"
#include "policy/model/model.h"
#include "policy/wire/snapshot.h"

namespace sallyport::prove {

enum class Wrong : std::uint8_t {
  kUndescribed,  // the tables permit what nobody described
  kMissing,      // a reviewed conduit describes what the tables deny
  kOtherRule,    // permitted, but under another rule or treatment than described
  kAmbiguous,    // described by conduits that differ, and one was chosen silently
  kPlace,        // an address lives elsewhere than the model says
  kIdentity,     // a device is bound to another port, VLAN, MAC or segment
  kTermination,  // a terminated conduit's listener or server is not the model's
};
std::string_view to_string(Wrong wrong) noexcept;

struct Difference {
  Wrong wrong = Wrong::kUndescribed;
  std::string text;                          // one sentence
  std::optional<explain::Question> witness;  // the packet, as explain takes it
};

// Two devices that talk without the gateway.
struct NotEnforceable {
  std::string segment;
  std::string port;
  std::vector<std::string> devices;
};

struct Proof {
  std::uint64_t revision = 0;
  std::vector<Difference> differences;  // at most kMaxDifferences
  std::size_t differences_omitted = 0;
  std::vector<NotEnforceable> not_enforceable;
  std::size_t intervals = 0;  // of addresses compared
  std::size_t boxes = 0;      // (source class, destination class, protocol) compared

  bool holds() const { return differences.empty(); }
};

inline constexpr std::size_t kMaxDifferences = 64;

Proof prove(const wire::SnapshotView& snapshot, const model::Gateway& gateway,
            std::optional<std::int32_t> today);

std::string to_json(const Proof& proof);
std::string to_text(const Proof& proof);

}  // namespace sallyport::prove
