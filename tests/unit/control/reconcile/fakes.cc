#include "tests/unit/control/reconcile/fakes.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "policy/base/check.h"
#include "policy/os/memfd.h"
#include "policy/wire/snapshot.h"

namespace sallyport::test {

void FakeServer::listen() {
  auto listener = os::listen_at(path_, 0666);
  SALLYPORT_CHECK(listener.has_value());
  listener_ = *std::move(listener);
}

void FakeServer::disconnect() { client_.reset(); }

void FakeServer::die() {
  client_.reset();
  listener_.reset();
  ::unlink(path_.c_str());
}

void FakeServer::run() {
  if (listener_ && !client_) {
    auto accepted_now = os::accept_from(listener_.get());
    if (accepted_now && *accepted_now) {
      client_ = *std::move(*accepted_now);
      accepted();
    }
  }
  while (client_) {
    auto datagram = os::receive_datagram(client_.get());
    if (!datagram) {
      client_.reset();
    } else if (!*datagram) {
      break;
    } else {
      handle(std::move(**datagram));
    }
  }
}

namespace {

std::string_view op_name(wire::SetupOp op) {
  switch (op) {
    case wire::SetupOp::kSegmentCreate:
      return "segment-create";
    case wire::SetupOp::kSegmentDelete:
      return "segment-delete";
    case wire::SetupOp::kAddressAdd:
      return "address-add";
    case wire::SetupOp::kAddressDelete:
      return "address-delete";
    case wire::SetupOp::kNeighbourSet:
      return "neighbour-set";
    case wire::SetupOp::kNeighbourDelete:
      return "neighbour-delete";
    case wire::SetupOp::kRouteDefaultSet:
      return "route-set";
    case wire::SetupOp::kMtuSet:
      return "mtu-set";
    case wire::SetupOp::kTapOpen:
      return "tap-open";
    case wire::SetupOp::kPortTake:
      return "port-take";
    case wire::SetupOp::kPortUp:
      return "port-up";
    case wire::SetupOp::kOpenRing:
      return "ring";
    case wire::SetupOp::kSegmentList:
      return "list";
    default:
      return "other";
  }
}

}  // namespace

void FakeSetup::handle(os::Datagram datagram) {
  wire::SetupRequest request;
  SALLYPORT_CHECK(datagram.bytes.size() == sizeof request);
  std::memcpy(&request, datagram.bytes.data(), sizeof request);
  const std::string name = request.name.data();
  if (request.op != wire::SetupOp::kSegmentList)
    log.push_back(fmt::format("{} {}", op_name(request.op), name));
  wire::SetupReply reply;
  reply.op = request.op;
  os::UniqueFd fd;
  if (refuse.contains(request.op)) {
    reply.error = EPERM;
  } else if (request.op == wire::SetupOp::kSegmentList) {
    if (request.value >= stacks.size()) {
      reply.error = ENOENT;
    } else {
      const std::string& found = *std::next(stacks.begin(), request.value);
      std::copy(found.begin(), found.end(), reply.detail.begin());
    }
  } else if (request.op == wire::SetupOp::kSegmentCreate) {
    stacks.insert(name);
  } else if (request.op == wire::SetupOp::kMtuSet) {
    mtus[name] = request.value;
  } else if (request.op == wire::SetupOp::kSegmentDelete) {
    reply.error = stacks.erase(name) == 0 ? ENOENT : 0;
  } else if (request.op == wire::SetupOp::kTapOpen || request.op == wire::SetupOp::kOpenRing) {
    fd = *os::make_shared("fake", 4096);
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(&reply);
  const std::vector<int> fds = fd ? std::vector<int>{fd.get()} : std::vector<int>{};
  // Whoever asked may have been killed meanwhile.
  if (!os::send_datagram(client(), {bytes, sizeof reply}, fds)) disconnect();
}

void FakeSibling::send_event(const std::string& kind, const std::string& json) {
  send_raw(os::encode_event(kind, json));
}

void FakeSibling::send_raw(ConstBytes bytes) {
  SALLYPORT_CHECK(os::send_datagram(client(), bytes).has_value());
}

void FakeSibling::handle(os::Datagram datagram) {
  const auto envelope = os::decode(datagram.bytes);
  SALLYPORT_CHECK(envelope.has_value());
  act(**envelope, datagram);
}

void FakeSibling::act(const wire::Envelope& envelope, const os::Datagram& datagram) {
  std::string what = "configure";
  std::string detail;
  std::uint64_t revision = 0;
  Result<void> outcome;
  if (const auto* apply = envelope.body_as_Apply()) {
    constexpr const char* kPhases[] = {"prepare", "commit", "abort"};
    what = kPhases[static_cast<int>(apply->phase())];
    revision = apply->revision();
    detail = std::to_string(revision);
    if (apply->phase() == wire::Phase::Prepare) {
      SALLYPORT_CHECK(datagram.descriptors.size() == 1);
      auto mapping = os::map_sealed(datagram.descriptors[0].get(), wire::kMaxSnapshotSize);
      SALLYPORT_CHECK(mapping.has_value());
      const auto view = wire::SnapshotView::verify(mapping->bytes());
      if (!view) outcome = fail(view.error());
    }
  } else if (const auto* tap = envelope.body_as_AttachTap()) {
    what = tap->detach() ? "detach" : "attach";
    detail = tap->name()->str();
    SALLYPORT_CHECK(tap->detach() || datagram.descriptors.size() == 1);
  } else if (const auto* attach = envelope.body_as_AttachRing()) {
    what = "ring";
    ring = attach->generation();
  } else if (const auto* query = envelope.body_as_Query()) {
    what = query->what()->str();
    if (silent.contains(what)) return;
    auto reply = os::encode_answer(envelope.id(), answer ? answer(*query) : "{}");
    SALLYPORT_CHECK(reply.has_value());
    if (!os::send(client(), *reply)) disconnect();
    journal_.push_back(name_ + " " + what);
    return;
  } else if (const auto* configure = envelope.body_as_Configure()) {
    std::vector<std::string> wanted;
    for (const auto* port : *configure->ports()) wanted.push_back(port->name()->str());
    if (!ports.empty() && ports != wanted)
      outcome = fail(ErrorKind::kRefused, "ports-changed", "other ports");
    else
      ports = wanted;
  }
  journal_.push_back(detail.empty() ? name_ + " " + what : name_ + " " + what + " " + detail);
  if (silent.contains(what)) return;
  if (dies.contains(what)) return disconnect();
  if (const auto refused = refuse.find(what); refused != refuse.end())
    outcome = fail(ErrorKind::kRefused, refused->second, "told to refuse");
  if (outcome) {
    if (what == "prepare") prepared = revision;
    if (what == "prepare" && name_ == "dataplane") running = revision;
    if (what == "commit") in_force = running = revision;
    if (what == "abort") running = in_force;
    if (what == "attach") taps.insert(detail);
    if (what == "detach") taps.erase(detail);
  }
  if (!os::send_datagram(client(), os::encode_ack(envelope.id(), revision, outcome))) disconnect();
}

}  // namespace sallyport::test
