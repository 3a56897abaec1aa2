// The dataplane or the terminator as control sees it: calls with answers, and events. One call is
// one envelope (policy/wire/messages.fbs); answers are matched by id and may come in any order.
//
// Thread: the loop's. Nothing blocks; `done` and on_event are called from run(). Failures: a call
// ends with the peer's refusal (kRefused), "peer-gone" (kUnavailable) or "peer-silent" (kTimeout),
// always exactly once. A peer that sends anything malformed loses the connection.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "control/ipc/link.h"
#include "policy/os/envelope.h"

namespace sallyport::control {

class Sibling {
 public:
  using Millis = Link::Millis;
  // The Ack's revision, or why not.
  using Acked = std::function<void(Result<std::uint64_t>)>;
  struct Reply {
    std::string json;
    std::vector<os::UniqueFd> fds;  // what came with it beyond the JSON itself
  };
  using Answered = std::function<void(Result<Reply>)>;
  // kind, JSON text.
  using Happened = std::function<void(const std::string&, const std::string&)>;

  static constexpr Millis kCallTimeout{10'000};
  static constexpr Millis kProbeTimeout{60'000};
  static constexpr std::size_t kMaxCalls = 4096;

  Sibling(std::string name, std::string path) : name_(std::move(name)), link_(std::move(path)) {}

  void run(Millis now);
  const Link& link() const { return link_; }
  Link& link() { return link_; }
  const std::string& name() const { return name_; }
  bool up() const { return link_.up(); }
  // When the earliest call times out; nothing when no call waits.
  std::optional<Millis> deadline() const;
  void on_event(Happened happened) { happened_ = std::move(happened); }

  void configure(Millis now, const std::vector<os::PortSpec>& ports, Acked done);
  void attach_tap(Millis now, std::uint16_t segment, const std::string& name, os::UniqueFd tap,
                  Acked done);
  void detach_tap(Millis now, std::uint16_t segment, const std::string& name, Acked done);
  // `snapshot` goes with Phase::Prepare only.
  void apply(Millis now, std::uint64_t revision, wire::Phase phase, os::UniqueFd snapshot,
             Acked done);
  void attach_ring(Millis now, std::uint32_t generation, os::UniqueFd ring, Acked done);
  // timeout zero: kCallTimeout.
  void query(Millis now, const std::string& what, const std::vector<std::string>& arguments,
             Millis timeout, Answered done);

 private:
  struct Call {
    Millis deadline;
    Acked acked;
    Answered answered;
  };
  void start(Millis now, os::Bytes bytes, os::UniqueFd fd, Call call);
  void handle(Millis now, os::Datagram datagram);
  bool finish(const wire::Envelope& envelope, std::vector<os::UniqueFd>& fds);
  void fail_all(const Error& error);

  std::string name_;
  Link link_;
  std::uint64_t generation_ = 0;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Call> calls_;
  Happened happened_;
};

}  // namespace sallyport::control
