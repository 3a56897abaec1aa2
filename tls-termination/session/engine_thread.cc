#include "tls-termination/session/engine_thread.h"

#include <fmt/format.h>
#include <pthread.h>

#include <system_error>

#include "policy/base/check.h"

namespace sallyport::terminator {

// Asks on the front's thread, answers on the engine's.
class EngineThread::FrontSockets : public SocketSource {
 public:
  FrontSockets(Front& front, const std::shared_ptr<Mailbox>& engine)
      : front_(front), engine_(engine) {}
  void open(const std::string& segment, IpVersion version, SocketKind kind, Done done) override {
    front_.mailbox->post([&source = front_.sockets, engine = engine_, segment, version, kind,
                          done = std::move(done)]() mutable {
      source.open(
          segment, version, kind, [engine, done = std::move(done)](Result<os::UniqueFd> socket) {
            // An engine that is gone wants no socket any more.
            if (const auto mailbox = engine.lock())
              mailbox->post(
                  [done, socket = std::move(socket)]() mutable { done(std::move(socket)); });
          });
    });
  }

 private:
  Front& front_;
  std::weak_ptr<Mailbox> engine_;
};

EngineThread::EngineThread(Loop loop, Front front, Instant (*clock)())
    : loop_(std::move(loop)),
      front_(std::move(front)),
      clock_(clock),
      last_round_ns_(clock().ns()) {}

Result<std::unique_ptr<EngineThread>> EngineThread::start(unsigned number, Front front,
                                                          const Timeouts& timeouts,
                                                          Instant (*clock)()) {
  SALLYPORT_TRY(Loop loop, Loop::create(clock));
  std::unique_ptr<EngineThread> out(new EngineThread(std::move(loop), std::move(front), clock));
  SALLYPORT_TRY(out->mailbox_, Mailbox::create(out->loop_));
  try {
    out->thread_ =
        std::jthread([self = out.get(), number, timeouts] { self->run(number, timeouts); });
  } catch (const std::system_error& error) {
    return fail(ErrorKind::kSystem, "engine", fmt::format("engine {}: {}", number, error.what()));
  }
  return out;
}

EngineThread::~EngineThread() {
  if (!thread_.joinable()) return;
  mailbox_->post([this] { stop_ = true; });
  thread_.join();
}

void EngineThread::run(unsigned number, const Timeouts& timeouts) {
  ::pthread_setname_np(::pthread_self(), fmt::format("engine-{}", number).c_str());
  FrontSockets sockets(front_, mailbox_);
  Engine engine(loop_, sockets, front_.reports, timeouts);
  engine_ = &engine;
  while (!stop_) {
    loop_.run_once(kLongestSleep);
    SALLYPORT_ASSUME(engine.books_add_up());
    last_round_ns_.store(loop_.now().ns(), std::memory_order_relaxed);
  }
  engine.cut_all("the terminator ends");
}

void EngineThread::post(Work work) {
  mailbox_->post([this, work = std::move(work)]() mutable { work(*engine_); });
}

bool EngineThread::goes_round(Instant now) const {
  const Instant last = Instant::from_ns(last_round_ns_.load(std::memory_order_relaxed));
  return now - last < kLongestRound;
}

}  // namespace sallyport::terminator
