// setup's main loop: one listening socket, a handful of connections, one record at a time from each
// in turn. A connection that sends anything but a record that its uid may send is closed, and so is
// one that does not read its replies; neither touches the others.
//
// Single-threaded. run() returns when SIGTERM or SIGINT arrives; what was set up stays, so that the
// other daemons go on.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "control/setup/operations.h"
#include "control/setup/record.h"
#include "policy/base/result.h"
#include "policy/os/fd.h"
#include "policy/os/notify.h"

namespace sallyport::setup {

inline constexpr std::size_t kMaxConnections = 16;

class Server {
 public:
  // `stop` is readable when a signal asks for the end (signalfd).
  Server(os::UniqueFd listener, os::UniqueFd stop, Clients clients, Operations operations)
      : listener_(std::move(listener)),
        stop_(std::move(stop)),
        clients_(clients),
        operations_(std::move(operations)) {}

  Result<void> run(const os::Notifier& notifier);

 private:
  struct Connection {
    os::UniqueFd socket;
    uid_t uid = 0;
  };
  // False when nobody waits.
  bool accept_one();
  // False when the connection is over.
  bool serve(const Connection& connection);
  bool answer(const Connection& connection, wire::SetupOp op, int error, std::string_view detail,
              const os::UniqueFd& descriptor);
  // At most one line a second: a stranger who knocks must not fill the journal.
  void report_refused(std::string_view what, uid_t uid);

  os::UniqueFd listener_;
  os::UniqueFd stop_;
  Clients clients_;
  Operations operations_;
  std::vector<Connection> connections_;
  std::int64_t last_report_ns_ = 0;
  std::uint64_t unreported_ = 0;
};

}  // namespace sallyport::setup
