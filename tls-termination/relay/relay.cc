#include "tls-termination/relay/relay.h"

#include <sys/epoll.h>

#include <algorithm>
#include <array>

namespace sallyport::terminator {
namespace {

// Rounds of one step before others get their turn.
constexpr int kRoundsPerStep = 16;

}  // namespace

Relay::Relay(Leg& client, Leg& server, std::unique_ptr<ModbusInspector> inspector)
    : client_(client), server_(server), inspector_(std::move(inspector)) {
  up_.bytes.reserve(kPipeSize);
  down_.bytes.reserve(kPipeSize);
}

void Relay::fail_with(Error error) {
  if (!failed_) failure_ = std::move(error);
  failed_ = true;
}

bool Relay::room(const Pipe& pipe, const Pipe& back) const {
  if (!inspector_) return pipe.bytes.size() < kPipeSize;
  // What is read may turn into bytes of either direction.
  return pipe.bytes.size() + kInspectChunk <= kPipeSize && back.bytes.size() <= kPipeSize;
}

bool Relay::take(ConstBytes bytes, Pipe& pipe, Pipe& back) {
  if (!inspector_) {
    pipe.bytes.insert(pipe.bytes.end(), bytes.begin(), bytes.end());
    return true;
  }
  const bool good = &pipe == &up_ ? inspector_->from_client(bytes, pipe.bytes, back.bytes, refused_)
                                  : inspector_->from_device(bytes, pipe.bytes);
  if (!good) fail_with({ErrorKind::kRefused, "inspect-malformed", inspector_->fault()});
  return good;
}

bool Relay::fill(Leg& source, Pipe& pipe, Pipe& back) {
  if (pipe.source_ended || !room(pipe, back)) return false;
  std::array<std::uint8_t, kPipeSize> buffer;
  const std::size_t space =
      inspector_ ? kInspectChunk : std::min(buffer.size(), kPipeSize - pipe.bytes.size());
  const IoResult got = source.read(MutableBytes(buffer).first(space));
  switch (got.io) {
    case Io::kOk:
      return take(ConstBytes(buffer).first(got.size), pipe, back);
    case Io::kClosed:
      pipe.source_ended = true;
      return true;
    case Io::kFailed:
      fail_with(source.failure());
      return false;
    case Io::kWantWrite:
    case Io::kWantRead:
      return false;
  }
  return false;
}

bool Relay::drain(Pipe& pipe, Leg& sink) {
  pipe.sink_blocked = false;
  if (pipe.ended) return false;
  if (pipe.waiting() == 0) {
    if (!pipe.source_ended) return false;
    const Io io = sink.close_write();
    if (io == Io::kFailed) fail_with(sink.failure());
    pipe.sink_blocked = io == Io::kWantWrite;
    pipe.ended = io == Io::kOk;
    return pipe.ended;
  }
  const IoResult put = sink.write(ConstBytes(pipe.bytes).subspan(pipe.done));
  if (put.io == Io::kFailed) fail_with(sink.failure());
  pipe.sink_blocked = put.io != Io::kOk;
  if (put.io != Io::kOk) return false;
  pipe.done += put.size;
  pipe.moved += put.size;
  if (pipe.waiting() == 0 || pipe.done >= kPipeSize / 2) {
    pipe.bytes.erase(pipe.bytes.begin(),
                     pipe.bytes.begin() + static_cast<std::ptrdiff_t>(pipe.done));
    pipe.done = 0;
  }
  return put.size > 0;
}

bool Relay::flush(Leg& leg) {
  if (leg.flush() != Io::kFailed) return true;
  fail_with(leg.failure());
  return false;
}

RelayState Relay::step() {
  again_ = false;
  if (!flush(client_) || !flush(server_)) return RelayState::kFailed;
  for (int round = 0; !failed_; ++round) {
    bool moved = drain(up_, server_);
    moved |= !failed_ && drain(down_, client_);
    moved |= !failed_ && fill(client_, up_, down_);
    moved |= !failed_ && fill(server_, down_, up_);
    if (up_.ended && down_.ended) return RelayState::kFinished;
    if (!moved) break;
    if (round == kRoundsPerStep) {
      again_ = true;
      break;
    }
  }
  return failed_ ? RelayState::kFailed : RelayState::kRunning;
}

// `from` is filled by the leg, `to` is drained into it.
std::uint32_t Relay::events(const Leg& leg, const Pipe& from, const Pipe& to) const {
  std::uint32_t out = 0;
  if (!from.source_ended && room(from, to)) out |= EPOLLIN;
  if (to.sink_blocked || leg.pending()) out |= EPOLLOUT;
  return out;
}

std::uint32_t Relay::client_events() const { return events(client_, up_, down_); }
std::uint32_t Relay::server_events() const { return events(server_, down_, up_); }

}  // namespace sallyport::terminator
