// sallyport-setup as control sees it: fixed records, answered in order
// (policy/wire/setup_protocol.h).
//
// Thread: the loop's. Nothing blocks; `done` is called from run(), always exactly once. Failures:
// as in control/ipc/sibling.h; a refused request is Error{kRefused} with code "setup-<errno>".
#pragma once

#include <deque>
#include <functional>

#include "control/ipc/link.h"
#include "policy/wire/setup_protocol.h"

namespace sallyport::control {

class SetupClient {
 public:
  using Millis = Link::Millis;
  struct Answer {
    wire::SetupReply reply;
    os::UniqueFd fd;
  };
  using Done = std::function<void(Result<Answer>)>;
  static constexpr Millis kCallTimeout{10'000};
  // Requests under way at once: enough to hide the round trip, too few to fill the socket.
  static constexpr std::size_t kWindow = 16;

  explicit SetupClient(std::string path) : link_(std::move(path)) {}

  void run(Millis now);
  const Link& link() const { return link_; }
  bool up() const { return link_.up(); }
  std::optional<Millis> deadline() const;
  void call(Millis now, const wire::SetupRequest& request, Done done);

 private:
  struct Call {
    wire::SetupRequest request;
    Done done;
    Millis deadline{0};
  };
  void send_more(Millis now);
  void handle(Millis now, os::Datagram datagram);
  void fail_all(const Error& error);

  Link link_;
  std::uint64_t generation_ = 0;
  std::deque<Call> waiting_;
  std::deque<Call> under_way_;
};

}  // namespace sallyport::control
