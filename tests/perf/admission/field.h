// A field of waiting clients for measuring the engine: so many places, on so many segments, and the
// decisions of a storm on them, in random order.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "policy/admission/engine.h"

namespace sallyport::bench {

// What is measured.
enum class Decisions : std::uint8_t {
  kHeld,   // the repeated SYN of a client that waits: most packets of a storm
  kFirst,  // the first SYN of a client: filed, put into its lane's order
  kStorm,  // one first and four repeated ones per client, mixed
  kTurns,  // the other end: turns given, handshakes ended
};
inline constexpr Decisions kAllDecisions[] = {Decisions::kHeld, Decisions::kFirst,
                                              Decisions::kStorm, Decisions::kTurns};
const char* name(Decisions what);
const char* description(Decisions what);

class Field {
 public:
  static constexpr std::size_t kBurst = 32;
  static constexpr std::size_t kLanes = 8;

  explicit Field(std::size_t places);
  ~Field();
  Field(const Field&) = delete;
  Field& operator=(const Field&) = delete;

  // Makes everything ready for decisions of this kind; how many there are.
  std::size_t prepare(Decisions what);
  // Makes the decisions [first, first + count) of those prepared.
  void decide(Decisions what, std::size_t first, std::size_t count);

 private:
  void everybody_dials();
  void arrive(std::size_t first, std::size_t count);
  void turns(std::size_t count);

  std::size_t size_;
  std::span<admission::Place> memory_;
  std::unique_ptr<admission::Engine> engine_;
  std::vector<std::uint32_t> order_;  // client of each decision
  std::vector<admission::Action> actions_;
  Instant now_;
  Instant dialled_;
};

}  // namespace sallyport::bench
