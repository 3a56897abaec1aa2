// Flows of the last seven days, many as one line: who started what to where, first and last seen.
// For saying which of them a change would cut (issue 2.4.7.2: a policy that can be reviewed).
//
// Compact and bounded: kMaxRows lines, the longest unseen one gives way. Pure values; times in
// seconds since 1970-01-01. Thread: none shared.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/result.h"

namespace sallyport::control {

struct FlowKey {
  std::string segment;  // of whoever started it
  std::string device;   // empty: nobody that is enrolled
  std::string peer_segment;
  std::string destination;  // an address, as dialled
  std::uint8_t protocol = 0;
  std::uint16_t port = 0;  // of an echo request its type
  friend auto operator<=>(const FlowKey&, const FlowKey&) = default;
};

struct FlowSeen {
  std::string source;  // address of the newest
  std::string rule;    // that permitted the newest
  std::int64_t first_s = 0;
  std::int64_t last_s = 0;
  friend bool operator==(const FlowSeen&, const FlowSeen&) = default;
};

class FlowLog {
 public:
  static constexpr std::size_t kMaxRows = 20'000;
  static constexpr std::int64_t kMaxAge = std::int64_t{7} * 86'400;
  static constexpr std::size_t kMaxText = std::size_t{8} << 20;  // of to_text()
  using Rows = std::map<FlowKey, FlowSeen>;

  // `seen` of one moment; its times do not count.
  void see(const Rows& seen, std::int64_t now_s);
  const Rows& rows() const { return rows_; }
  friend bool operator==(const FlowLog&, const FlowLog&) = default;

  // With a digest of its own. parse() takes what to_text() wrote and nothing else: kInvalid
  // "flow-log-damaged".
  std::string to_text() const;
  static Result<FlowLog> parse(std::string_view text);

 private:
  void make_room(std::int64_t now_s);
  Rows rows_;
};

// The dataplane's answer to `flows`; nothing if it is none. Reads at most kMaxRows different ones.
FlowLog::Rows flows_of(std::string_view json);

}  // namespace sallyport::control
