#include "tls-termination/relay/mailbox.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "policy/base/check.h"
#include "policy/os/system_error.h"

namespace sallyport::terminator {

Result<std::unique_ptr<Mailbox>> Mailbox::create(Loop& loop) {
  os::UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return fail(os::system_error("mailbox", "eventfd"));
  std::unique_ptr<Mailbox> out(new Mailbox(loop, std::move(wake)));
  loop.watch(out->wake_.get(), EPOLLIN, *out);
  return out;
}

Mailbox::~Mailbox() { loop_.forget(wake_.get()); }

void Mailbox::post(Work work) {
  bool first = false;
  {
    const std::scoped_lock held(lock_);
    first = waiting_.empty();
    waiting_.push_back(std::move(work));
  }
  if (first) SALLYPORT_CHECK(::eventfd_write(wake_.get(), 1) == 0);
}

void Mailbox::on_ready(int /*fd*/, std::uint32_t /*events*/) {
  eventfd_t count = 0;
  // Emptied before looking: what is posted after the look wakes us again.
  static_cast<void>(::eventfd_read(wake_.get(), &count));
  std::vector<Work> work;
  {
    const std::scoped_lock held(lock_);
    work.swap(waiting_);
  }
  for (Work& one : work) one();
}

}  // namespace sallyport::terminator
