// An engine on a thread of its own: its loop, its mailbox, and the way to setup's sockets, which
// goes over the front because setup serves a handful of connections and no more.
//
// Thread: everything here is the front's to call. The engine itself lives and dies on its thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "tls-termination/relay/mailbox.h"
#include "tls-termination/session/engine.h"

namespace sallyport::terminator {

class EngineThread {
 public:
  using Work = std::move_only_function<void(Engine&)>;
  // Its loop goes round at least this often, whatever happens.
  static constexpr std::chrono::milliseconds kLongestSleep{500};
  // An engine that has not gone round for so long is stuck, and with it the daemon.
  static constexpr std::chrono::seconds kLongestRound{5};

  struct Front {
    std::shared_ptr<Mailbox> mailbox;
    SocketSource& sockets;  // used on the front's thread
    EngineReports& reports;
  };
  // Everything of `front` outlives it. The thread has what its maker has: user, capabilities,
  // filters. kSystem "engine".
  static Result<std::unique_ptr<EngineThread>> start(unsigned number, Front front,
                                                     const Timeouts& timeouts, Instant (*clock)());
  // Cuts its sessions and waits for the end of its thread.
  ~EngineThread();
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;

  // In the order of posting.
  void post(Work work);
  bool goes_round(Instant now) const;

 private:
  class FrontSockets;
  EngineThread(Loop loop, Front front, Instant (*clock)());
  void run(unsigned number, const Timeouts& timeouts);

  Loop loop_;
  std::shared_ptr<Mailbox> mailbox_;
  Front front_;
  Instant (*clock_)();
  bool stop_ = false;         // the engine's thread only
  Engine* engine_ = nullptr;  // likewise
  std::atomic<std::int64_t> last_round_ns_;
  static_assert(std::atomic<std::int64_t>::is_always_lock_free);
  std::jthread thread_;
};

}  // namespace sallyport::terminator
