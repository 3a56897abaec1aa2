#include "control/setup/operations.h"

#include <fcntl.h>

#include "control/setup/namespaces.h"
#include "control/setup/netlink.h"
#include "control/setup/segments.h"
#include "policy/base/result.h"
#include "policy/os/memfd.h"
#include "policy/wire/handover.h"

namespace sallyport::setup {

using wire::SetupOp;

Outcome<Operations> Operations::open(const std::string& prefix, const os::UniqueFd& home) {
  SALLYPORT_TRY_VOID(share_namespace_folder());
  SALLYPORT_TRY(Ports ports, Ports::open(prefix + "ports", home));
  return Operations(prefix, std::move(ports));
}

Outcome<Product> Operations::perform(const Request& request) {
  switch (request.op) {
    case SetupOp::kTapOpen:
    case SetupOp::kOpenSocket:
    case SetupOp::kOpenRing:
      return open_descriptor(request);
    case SetupOp::kSegmentList:
      return list(request.value);
    default:
      SALLYPORT_TRY_VOID(change(request));
      return Product{};
  }
}

Outcome<void> Operations::change(const Request& request) {
  const std::string space = segment(request.name);
  switch (request.op) {
    case SetupOp::kHello:
      return {};
    case SetupOp::kSegmentCreate:
      return make_segment(space, request.mac);
    case SetupOp::kMtuSet:
      return on_tap(space, [&](unsigned tap) { return set_link_mtu(tap, request.value); });
    case SetupOp::kSegmentDelete:
      return remove_segment(space);
    case SetupOp::kAddressAdd:
      return on_tap(space, [&](unsigned tap) {
        return add_address(tap, request.address, request.prefix_length);
      });
    case SetupOp::kAddressDelete:
      return on_tap(space, [&](unsigned tap) {
        return delete_address(tap, request.address, request.prefix_length);
      });
    case SetupOp::kNeighbourSet:
      return on_tap(space,
                    [&](unsigned tap) { return set_neighbour(tap, request.address, request.mac); });
    case SetupOp::kNeighbourDelete:
      return on_tap(space, [&](unsigned tap) { return delete_neighbour(tap, request.address); });
    case SetupOp::kRouteDefaultSet:
      return on_tap(space, [&](unsigned tap) { return set_default_route(tap, request.address); });
    case SetupOp::kRouteDefaultDelete:
      return on_tap(space, [&](unsigned tap) {
        return delete_default_route(tap, request.address.version());
      });
    case SetupOp::kPortTake:
      return ports_.take(request.name);
    case SetupOp::kPortUp:
      return ports_.up(request.name);
    case SetupOp::kPortDown:
      return ports_.down(request.name);
    case SetupOp::kPortRelease:
      return ports_.release(request.name);
    default:
      return failed(ENOSYS, "operation");
  }
}

Outcome<Product> Operations::open_descriptor(const Request& request) {
  Product out;
  if (request.op == SetupOp::kTapOpen) {
    SALLYPORT_TRY(out.descriptor, open_tap(segment(request.name)));
  } else if (request.op == SetupOp::kOpenSocket) {
    SALLYPORT_TRY(out.descriptor,
                  open_socket(segment(request.name), request.family, request.stream));
  } else {
    SALLYPORT_TRY(out.descriptor, open_ring());
  }
  return out;
}

Outcome<os::UniqueFd> Operations::open_ring() {
  if (!ring_) {
    auto made = os::make_shared("sallyport-handover", sizeof(wire::HandoverMemory));
    if (!made) return failed(ENOMEM, made.error().context);
    ring_ = std::move(*made);
  }
  os::UniqueFd copy(::fcntl(ring_.get(), F_DUPFD_CLOEXEC, 0));
  if (!copy) return failed(errno, "ring");
  return copy;
}

Outcome<Product> Operations::list(std::uint32_t index) const {
  SALLYPORT_TRY(const std::vector<std::string> spaces, list_namespaces(prefix_));
  for (const std::string& space : spaces) {
    std::string name = space.substr(prefix_.size());
    if (is_segment_name(name) && index-- == 0) return Product{{}, std::move(name)};
  }
  return failed(ENOENT, "past the last segment");
}

Outcome<void> Operations::remove_everything() {
  SALLYPORT_TRY_VOID(ports_.release_all());
  SALLYPORT_TRY(const std::vector<std::string> spaces, list_namespaces(prefix_));
  for (const std::string& space : spaces) {
    if (is_segment_name(space.substr(prefix_.size()))) SALLYPORT_TRY_VOID(remove_segment(space));
  }
  return remove_namespace(prefix_ + "ports");
}

}  // namespace sallyport::setup
