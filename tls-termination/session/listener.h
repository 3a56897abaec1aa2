// One listening socket of one conduit. Only the engine looks inside.
#pragma once

#include "tls-termination/session/engine.h"

namespace sallyport::terminator {

class Engine::Listener : public Watcher {
 public:
  // Binds and listens on `socket`. kSystem "listener-failed".
  static Result<std::unique_ptr<Listener>> open(Engine& engine, os::UniqueFd socket,
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

 private:
  Listener(Engine& engine, os::UniqueFd socket, const ListenAddress& where, std::string conduit)
      : engine_(engine), socket_(std::move(socket)), where_(where), conduit_(std::move(conduit)) {}
  void on_ready(int, std::uint32_t) override { engine_.accept_from(*this); }
  Engine& engine_;
  os::UniqueFd socket_;
  ListenAddress where_;
  std::string conduit_;
};

}  // namespace sallyport::terminator
