#include "tls-termination/app/control_link.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include "policy/os/log.h"
#include "policy/os/memfd.h"
#include "policy/os/seqpacket.h"
#include "policy/wire/handover.h"
#include "tls-termination/wolfssl/tls_policy.h"

namespace sallyport::terminator {

ControlLink::ControlLink(Loop& loop, os::UniqueFd listener, uid_t control)
    : loop_(loop), listener_(std::move(listener)), control_(control) {}

ControlLink::~ControlLink() {
  loop_.forget(listener_.get());
  hang_up();
}

void ControlLink::serve(Terminator& terminator) {
  terminator_ = &terminator;
  loop_.watch(listener_.get(), EPOLLIN, *this);
}

void ControlLink::on_ready(int fd, std::uint32_t events) {
  if (fd == listener_.get()) return accept();
  if ((events & EPOLLOUT) != 0) flush();
  if (client_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
}

void ControlLink::accept() {
  auto client = os::accept_from(listener_.get());
  if (!client || !*client) return;
  const auto peer = os::peer_of((*client)->get());
  if (!peer || peer->uid != control_) {
    os::log::warning("refused a connection: not control's user");
    return;
  }
  hang_up();
  client_ = *std::move(*client);
  ++connection_;
  loop_.watch(client_.get(), EPOLLIN, *this);
}

void ControlLink::hang_up() {
  if (client_) loop_.forget(client_.get());
  client_.reset();
  queue_.clear();
}

void ControlLink::receive() {
  while (client_) {
    auto datagram = os::receive_datagram(client_.get());
    if (!datagram) return hang_up();
    if (!*datagram) return;
    const auto envelope = os::decode((*datagram)->bytes);
    if (!envelope) {
      os::log::warning("control sent what is no message: " + envelope.error().context);
      return hang_up();
    }
    handle(**envelope, std::move((*datagram)->descriptors));
  }
}

void ControlLink::handle(const wire::Envelope& envelope, std::vector<os::UniqueFd> descriptors) {
  const std::uint64_t id = envelope.id();
  if (const auto* request = envelope.body_as_Apply())
    return apply(id, *request, std::move(descriptors));
  if (const auto* request = envelope.body_as_AttachRing())
    return attach_ring(id, *request, std::move(descriptors));
  if (const auto* query = envelope.body_as_Query()) return answer(id, *query);
  acknowledge(id, 0, fail(ErrorKind::kUsage, "not-for-terminator", "a message of another daemon"));
}

void ControlLink::apply(std::uint64_t id, const wire::Apply& request,
                        std::vector<os::UniqueFd> descriptors) {
  const std::uint64_t revision = request.revision();
  // Whoever asked may be gone when the answer comes.
  Terminator::Done done = [this, id, revision,
                           connection = connection_](const Result<void>& outcome) {
    if (!outcome)
      os::log::warning(fmt::format("revision {} refused: {}: {}", revision, outcome.error().code,
                                   outcome.error().context));
    if (connection == connection_) acknowledge(id, revision, outcome);
  };
  if (request.phase() == wire::Phase::Commit) return terminator_->commit(revision, std::move(done));
  if (request.phase() == wire::Phase::Abort) return terminator_->abort(revision, std::move(done));
  if (request.phase() != wire::Phase::Prepare || descriptors.size() != 1)
    return done(fail(ErrorKind::kUsage, "bad-apply", "prepare comes with one snapshot"));
  auto mapping = os::map_sealed(descriptors.front().get(), wire::kMaxSnapshotSize);
  if (!mapping) return done(fail(mapping.error()));
  terminator_->prepare(*std::move(mapping), revision, std::move(done));
}

void ControlLink::attach_ring(std::uint64_t id, const wire::AttachRing& /*request*/,
                              std::vector<os::UniqueFd> descriptors) {
  if (descriptors.size() != 1)
    return acknowledge(id, 0, fail(ErrorKind::kUsage, "bad-ring", "the ring comes with one memfd"));
  auto memory = os::map_shared(descriptors.front().get(), sizeof(wire::HandoverMemory));
  if (!memory) return acknowledge(id, 0, fail(memory.error()));
  terminator_->attach_ring(*std::move(memory));
  acknowledge(id, 0, {});
}

void ControlLink::answer(std::uint64_t id, const wire::Query& query) {
  const std::string what = query.what()->str();
  if (what == "status") return answer_json(id, terminator_->status_json());
  if (what == "crypto") return answer_json(id, policy_json());
  if (what == "reload") return answer_json(id, terminator_->reload());
  if (what == "authorities") return answer_json(id, terminator_->authorities_json());
  if (what == "sessions")
    return terminator_->sessions([this, id, connection = connection_](const std::string& json) {
      if (connection == connection_) answer_json(id, json);
    });
  send_bytes(os::encode_answer_error(
      id, {ErrorKind::kUsage, "unknown-query",
           "the terminator answers status, sessions, crypto, authorities and reload"}));
}

void ControlLink::answer_json(std::uint64_t id, const std::string& json) {
  auto message = os::encode_answer(id, json);
  if (message) {
    send(*std::move(message));
  } else {
    send_bytes(os::encode_answer_error(id, message.error()));
  }
}

void ControlLink::acknowledge(std::uint64_t id, std::uint64_t revision,
                              const Result<void>& outcome) {
  send_bytes(os::encode_ack(id, revision, outcome));
}

void ControlLink::event(std::string_view kind, const std::string& json) {
  if (queue_.size() < kMostQueued / 2) send_bytes(os::encode_event(kind, json));
}

void ControlLink::send_bytes(os::Bytes bytes) {
  os::Outgoing message;
  message.bytes = std::move(bytes);
  send(std::move(message));
}

void ControlLink::send(os::Outgoing message) {
  if (!client_) return;
  if (queue_.size() >= kMostQueued) {
    os::log::warning("control does not read its answers");
    return hang_up();
  }
  queue_.push_back(std::move(message));
  flush();
}

void ControlLink::flush() {
  while (client_ && !queue_.empty()) {
    if (auto sent = os::send(client_.get(), queue_.front()); !sent) {
      if (sent.error().code != "socket-busy") return hang_up();
      return loop_.watch(client_.get(), EPOLLIN | EPOLLOUT, *this);
    }
    queue_.pop_front();
  }
  if (client_) loop_.watch(client_.get(), EPOLLIN, *this);
}

}  // namespace sallyport::terminator
