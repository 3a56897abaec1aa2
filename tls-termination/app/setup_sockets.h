// Sockets from sallyport-setup, over one seqpacket connection that is re-made for ever. Requests
// are pipelined, answers come in order; a setup that does not answer within kPatience is dropped
// and everyone who waits is told (kUnavailable "setup-gone").
#pragma once

#include <chrono>
#include <deque>
#include <string>

#include "tls-termination/relay/loop.h"
#include "tls-termination/session/sockets.h"

namespace sallyport::terminator {

class SetupSockets : public SocketSource, private Watcher, private TimerTarget {
 public:
  static constexpr auto kPatience = std::chrono::seconds(5);
  static constexpr auto kRetry = std::chrono::milliseconds(250);
  // Ten thousand conduits' listeners on both legs' addresses, and the sessions that go on
  // meanwhile.
  static constexpr std::size_t kMostWaiting = 65'536;
  // Requests on the wire at once; the rest waits here.
  static constexpr std::size_t kWindow = 16;

  SetupSockets(Loop& loop, std::string path);
  ~SetupSockets() override;
  SetupSockets(const SetupSockets&) = delete;
  SetupSockets& operator=(const SetupSockets&) = delete;

  void open(const std::string& segment, IpVersion version, SocketKind kind, Done done) override;
  bool connected() const { return static_cast<bool>(socket_); }

 private:
  struct Call {
    std::string segment;
    IpVersion version;
    SocketKind kind;
    Done done;
    Instant asked;
  };
  void on_ready(int fd, std::uint32_t events) override;
  void on_timer() override;
  void connect();
  void send_more();
  void drop(const std::string& why);
  // False when none waits.
  Result<bool> take_answer();

  Loop& loop_;
  std::string path_;
  os::UniqueFd socket_;
  std::deque<Call> waiting_;
  std::deque<Call> under_way_;
};

}  // namespace sallyport::terminator
