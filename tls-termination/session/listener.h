// One listening socket of one conduit. Only the front looks inside.
#pragma once

#include "tls-termination/session/terminator.h"

namespace sallyport::terminator {

class Terminator::Listener : public Watcher, private TimerTarget {
 public:
  // How long it rests when the process has no descriptor left.
  static constexpr std::chrono::milliseconds kRest{100};

  // Binds and listens on `socket`. kSystem "listener-failed".
  static Result<std::unique_ptr<Listener>> open(Terminator& front, os::UniqueFd socket,
                                                const ListenAddress& where, std::string conduit);
  ~Listener() override;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const { return socket_.get(); }
  const ListenAddress& where() const { return where_; }
  const std::string& conduit() const { return conduit_; }
  void give_to(std::string conduit) { conduit_ = std::move(conduit); }
  // While paused nothing is accepted; clients wait in the kernel's queue.
  void pause();
  void resume();
  // Paused for kRest.
  void rest();

 private:
  Listener(Terminator& front, os::UniqueFd socket, const ListenAddress& where, std::string conduit)
      : front_(front), socket_(std::move(socket)), where_(where), conduit_(std::move(conduit)) {}
  void on_ready(int /*fd*/, std::uint32_t /*events*/) override { front_.accept_from(*this); }
  void on_timer() override { resume(); }
  Terminator& front_;
  os::UniqueFd socket_;
  ListenAddress where_;
  std::string conduit_;
};

}  // namespace sallyport::terminator
