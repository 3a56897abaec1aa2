// The one way from another thread to a loop: work that is posted runs on the loop's thread, in the
// order of posting, at its next round. Waking costs one eventfd write for any number of posts that
// wait together.
//
// It has no bound of its own: what is posted is bounded by whoever posts it (at most a few messages
// for each place of session/places.h, a limited number of events a second).
//
// Thread: post() from any, everything else on the loop's own (or when no thread posts any more).
// Work that still waits when the mailbox goes is destroyed without having run.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "policy/base/result.h"
#include "policy/os/fd.h"
#include "tls-termination/relay/loop.h"

namespace sallyport::terminator {

class Mailbox : private Watcher {
 public:
  using Work = std::move_only_function<void()>;

  // `loop` outlives the mailbox. kSystem "mailbox".
  static Result<std::unique_ptr<Mailbox>> create(Loop& loop);
  ~Mailbox() override;
  Mailbox(const Mailbox&) = delete;
  Mailbox& operator=(const Mailbox&) = delete;

  void post(Work work);

 private:
  Mailbox(Loop& loop, os::UniqueFd wake) : loop_(loop), wake_(std::move(wake)) {}
  void on_ready(int fd, std::uint32_t events) override;

  Loop& loop_;
  os::UniqueFd wake_;
  std::mutex lock_;  // guards waiting_, held for a push or a swap
  std::vector<Work> waiting_;
};

}  // namespace sallyport::terminator
