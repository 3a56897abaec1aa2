// The audit sink: one line for each change of what is in force, with the head of the chain of
// revisions. Always the log (the journal); also a local syslog socket, if one is configured, whose
// daemon stores it and sends it to another machine (docs/guide/operate.md).
//
// Rationale: whoever is root here can rewrite database and copies consistently; a head that has
// left the machine cannot be rewritten. Thread: the loop's. Nothing blocks: what the socket does
// not take waits, bounded to kMaxWaiting; what is lost then is counted. 2.4.7.6.
#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "control/ovsdb/loop.h"
#include "policy/os/fd.h"

namespace sallyport::control {

class Audit {
 public:
  static constexpr std::size_t kMaxWaiting = 1000;

  // `socket` as syslog daemons have it ("/dev/log"); empty: the log alone.
  explicit Audit(std::string socket) : path_(std::move(socket)) {}

  // One line of printable text, newest head last.
  void record(const std::string& line);
  void run(Millis now);
  void wait() const;

  bool failing() const { return !waiting_.empty() && !error_.empty(); }
  const std::string& error() const { return error_; }
  nlohmann::json to_json() const;

 private:
  bool connect();

  std::string path_;
  os::UniqueFd socket_;
  std::deque<std::string> waiting_;
  std::uint64_t sent_ = 0;
  std::uint64_t lost_ = 0;
  std::string error_;
  Millis retry_at_{0};
};

}  // namespace sallyport::control
