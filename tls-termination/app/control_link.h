// The terminator's end of control's connection: messages.fbs envelopes over one seqpacket socket,
// accepted from control's user only. A newer connection replaces an older one. Every request gets
// exactly one answer, Apply's when its listeners are open or every engine has let go of what it was
// to let go of, that to "sessions" when every engine has told its own; events are dropped when
// nobody listens.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <string>

#include "policy/os/envelope.h"
#include "tls-termination/relay/loop.h"
#include "tls-termination/session/terminator.h"

namespace sallyport::terminator {

class ControlLink : public Journal, private Watcher {
 public:
  static constexpr std::size_t kMostQueued = 1024;

  ControlLink(Loop& loop, os::UniqueFd listener, uid_t control);
  ~ControlLink() override;
  ControlLink(const ControlLink&) = delete;
  ControlLink& operator=(const ControlLink&) = delete;

  // Before the first message; `terminator` must live as long as the loop is run.
  void serve(Terminator& terminator);

  void event(std::string_view kind, const std::string& json) override;

 private:
  void on_ready(int fd, std::uint32_t events) override;
  void accept();
  void receive();
  void handle(const wire::Envelope& envelope, std::vector<os::UniqueFd> descriptors);
  void apply(std::uint64_t id, const wire::Apply& request, std::vector<os::UniqueFd> descriptors);
  void attach_ring(std::uint64_t id, const wire::AttachRing& request,
                   std::vector<os::UniqueFd> descriptors);
  void answer(std::uint64_t id, const wire::Query& query);
  void answer_json(std::uint64_t id, const std::string& json);
  void acknowledge(std::uint64_t id, std::uint64_t revision, const Result<void>& outcome);
  void send(os::Outgoing message);
  void send_bytes(os::Bytes bytes);
  void flush();
  void hang_up();

  Loop& loop_;
  os::UniqueFd listener_;
  uid_t control_;
  Terminator* terminator_ = nullptr;
  os::UniqueFd client_;
  std::uint64_t connection_ = 0;
  std::deque<os::Outgoing> queue_;
};

}  // namespace sallyport::terminator
