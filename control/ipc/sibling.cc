#include "control/ipc/sibling.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::control {
namespace {

constexpr int kMaxDatagramsPerTurn = 256;

std::string text(const flatbuffers::String* string) { return string ? string->str() : ""; }

void end(auto& call, const Error& error) {
  if (call.acked) call.acked(fail(error));
  if (call.answered) call.answered(fail(error));
}

}  // namespace

void Sibling::start(Millis now, os::Bytes bytes, os::UniqueFd fd, Call call) {
  if (!link_.up() || calls_.size() >= kMaxCalls) {
    end(call, {ErrorKind::kUnavailable, "peer-gone", fmt::format("{} is not connected", name_)});
    return;
  }
  call.deadline += now;
  calls_.emplace(next_id_++, std::move(call));
  os::Datagram datagram;
  datagram.bytes = std::move(bytes);
  if (fd) datagram.descriptors.push_back(std::move(fd));
  link_.send(std::move(datagram));
}

void Sibling::configure(Millis now, const std::vector<os::PortSpec>& ports, Acked done) {
  start(now, os::encode_configure(next_id_, ports), {}, {kProbeTimeout, std::move(done), {}});
}

void Sibling::attach_tap(Millis now, std::uint16_t segment, const std::string& name,
                         os::UniqueFd tap, Acked done) {
  start(now, os::encode_attach_tap(next_id_, segment, name, false), std::move(tap),
        {kCallTimeout, std::move(done), {}});
}

void Sibling::detach_tap(Millis now, std::uint16_t segment, const std::string& name, Acked done) {
  start(now, os::encode_attach_tap(next_id_, segment, name, true), {},
        {kCallTimeout, std::move(done), {}});
}

void Sibling::apply(Millis now, std::uint64_t revision, wire::Phase phase, os::UniqueFd snapshot,
                    Acked done) {
  start(now, os::encode_apply(next_id_, revision, phase), std::move(snapshot),
        {kCallTimeout, std::move(done), {}});
}

void Sibling::attach_ring(Millis now, std::uint32_t generation, os::UniqueFd ring, Acked done) {
  start(now, os::encode_attach_ring(next_id_, generation), std::move(ring),
        {kCallTimeout, std::move(done), {}});
}

void Sibling::query(Millis now, const std::string& what, const std::vector<std::string>& arguments,
                    Millis timeout, Answered done) {
  start(now, os::encode_query(next_id_, what, arguments), {},
        {timeout == Millis(0) ? kCallTimeout : timeout, {}, std::move(done)});
}

void Sibling::fail_all(const Error& error) {
  // A callback may start new calls, so the list is taken out first.
  auto calls = std::exchange(calls_, {});
  for (auto& [id, call] : calls) end(call, error);
}

std::optional<Link::Millis> Sibling::deadline() const {
  if (calls_.empty()) return std::nullopt;
  return std::min_element(
             calls_.begin(), calls_.end(),
             [](const auto& a, const auto& b) { return a.second.deadline < b.second.deadline; })
      ->second.deadline;
}

void Sibling::run(Millis now) {
  link_.run(now);
  for (int i = 0; i < kMaxDatagramsPerTurn; ++i) {
    auto datagram = link_.receive(now);
    if (!datagram) break;
    handle(now, std::move(*datagram));
  }
  if (!calls_.empty() && (!link_.up() || link_.generation() != generation_))
    fail_all(
        {ErrorKind::kUnavailable, "peer-gone", fmt::format("{}: {}", name_, link_.last_error())});
  generation_ = link_.generation();
  const auto earliest = deadline();
  if (earliest && *earliest <= now) {
    // A sibling that is silent for this long is not believed to be in any known state.
    link_.drop(now, "no answer in time");
    fail_all({ErrorKind::kTimeout, "peer-silent", fmt::format("{} does not answer", name_)});
  }
}

void Sibling::handle(Millis now, os::Datagram datagram) {
  const auto decoded = os::decode(datagram.bytes);
  if (!decoded) {
    link_.drop(now, "it sent something that is no message");
    return;
  }
  const wire::Envelope& envelope = **decoded;
  if (const auto* event = envelope.body_as_Event(); event != nullptr && envelope.id() == 0) {
    if (happened_) happened_(event->kind()->str(), text(event->json()));
    return;
  }
  if (!finish(envelope, datagram.descriptors)) link_.drop(now, "it answered what nobody asked");
}

bool Sibling::finish(const wire::Envelope& envelope, std::vector<os::UniqueFd>& fds) {
  const auto found = calls_.find(envelope.id());
  if (found == calls_.end()) return false;
  const auto* ack = envelope.body_as_Ack();
  const auto* answer = envelope.body_as_Answer();
  if (found->second.acked ? ack == nullptr : answer == nullptr) return false;
  const Call call = std::move(found->second);
  calls_.erase(found);
  if (const auto outcome = os::outcome_of(envelope); !outcome) {
    // Whatever the peer's own reason is called, to us it is a refusal by that peer.
    Error error = outcome.error();
    error.kind = ErrorKind::kRefused;
    error.context = fmt::format("{}: {}", name_, error.context);
    end(call, error);
    return true;
  }
  if (ack != nullptr) {
    call.acked(ack->revision());
    return true;
  }
  auto json = os::json_of(envelope, fds);
  if (!json) {
    end(call, json.error());
    return true;
  }
  if (answer->attached() && !fds.empty()) fds.erase(fds.begin());
  call.answered(Reply{*std::move(json), std::move(fds)});
  return true;
}

}  // namespace sallyport::control
