#include "dataplane/app/daemon.h"

#include <fmt/core.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dataplane/app/queries.h"
#include "dataplane/app/short_slice.h"
#include "dataplane/app/walls.h"
#include "policy/os/clock.h"
#include "policy/os/log.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint32_t kMemoryForOneMb = 256;
constexpr std::uint32_t kMemoryForAnotherMb = 64;
constexpr std::size_t kEventsPerCall = 16;

bool same(const std::vector<os::PortSpec>& a, const std::vector<os::PortSpec>& b) {
  return std::ranges::equal(a, b, [](const os::PortSpec& x, const os::PortSpec& y) {
    return x.slot == y.slot && x.name == y.name && x.device == y.device;
  });
}

// What the driver is told beside what the operator wrote.
std::string arguments_of(const std::string& device, const DaemonOptions& options) {
  const auto lacks = [&](const char* name) { return device.find(name) == std::string::npos; };
  if (device.starts_with("net_af_xdp") && !options.xdp_object.empty() && lacks("xdp_prog="))
    return device + ",xdp_prog=" + options.xdp_object;
  if (device.starts_with("net_af_packet") && options.workers > 1 && lacks("qpairs="))
    return fmt::format("{},qpairs={}", device, options.workers);
  return device;
}

std::vector<os::PortSpec> specs(const wire::Configure& request) {
  std::vector<os::PortSpec> out;
  if (request.ports() == nullptr) return out;
  for (const wire::PortSpec* port : *request.ports()) {
    out.push_back({port->slot(), port->name()->str(), port->device()->str()});
  }
  std::ranges::sort(out, {}, &os::PortSpec::slot);
  return out;
}

}  // namespace

// --- ports, once -------------------------------------------------------------------------------

Result<void> Daemon::configure(const wire::Configure& request) {
  std::vector<os::PortSpec> wanted = specs(request);
  if (ports_) {
    if (same(*ports_, wanted)) return {};
    return fail(ErrorKind::kRefused, "ports-changed",
                "other ports need a restart of the dataplane");
  }
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].slot >= Exits::kMaxSlots || (i > 0 && wanted[i].slot == wanted[i - 1].slot)) {
      return fail(
          ErrorKind::kInvalid, "port-slot",
          fmt::format("port {}: slot {} twice or too large", wanted[i].name, wanted[i].slot));
    }
  }
  // From here a failure leaves half-open ports behind: the caller ends the process.
  SALLYPORT_TRY_VOID(open_ports(wanted));
  take_short_slices();
  SALLYPORT_TRY_VOID(close_walls());
  ports_ = std::move(wanted);
  SALLYPORT_TRY_VOID(taps_->start());
  workers_->start();
  return {};
}

Result<void> Daemon::open_ports(const std::vector<os::PortSpec>& ports) {
  EalOptions eal;
  eal.hugepages = options_.hugepages;
  eal.memory_mb =
      kMemoryForOneMb + kMemoryForAnotherMb * static_cast<std::uint32_t>(options_.workers - 1);
  eal.runtime_folder = options_.run_dir + "/dataplane";
  for (const os::PortSpec& port : ports) {
    if (auto address = pci_address(port.device)) eal.pci_addresses.push_back(*std::move(address));
  }
  SALLYPORT_TRY_VOID(start_eal(eal));
  PipelineOptions options;
  options.flows = options_.flows;
  options.now = os::steady_now();
  if (getrandom(&options.hash_secret, sizeof options.hash_secret, 0) !=
      static_cast<ssize_t>(sizeof options.hash_secret)) {
    return fail(ErrorKind::kSystem, "random", "no random numbers");
  }
  SALLYPORT_TRY(workers_, Workers::make(options_.workers, options));
  taps_ = std::make_unique<TapThread>(workers_->pools().front());
  for (const os::PortSpec& port : ports) {
    SALLYPORT_TRY(auto opened, EthPort::open(arguments_of(port.device, options_), workers_->pools(),
                                             workers_->next_reader()));
    workers_->attach(port.slot, *opened);
    devices_.push_back(std::move(opened));
  }
  workers_->prepare(*taps_);
  return {};
}

Result<void> Daemon::close_walls() {
  SALLYPORT_TRY_VOID(drop_rights());  // also of DPDK's own thread, made while we had privileges
  return install_filter();
}

// --- host stacks, ring -------------------------------------------------------------------------

Result<void> Daemon::attach_tap(const wire::AttachTap& request,
                                std::vector<os::UniqueFd> descriptors) {
  if (!ports_) return fail(ErrorKind::kUnavailable, "not-configured", "Configure comes first");
  const SegmentSlot segment = request.segment();
  if (segment >= Exits::kMaxSlots || descriptors.size() != (request.detach() ? 0U : 1U)) {
    return fail(ErrorKind::kInvalid, "attach-tap", "one TAP descriptor for a segment's slot");
  }
  // The worker first lets go of the rings, then the TAP thread, then they may end.
  workers_->first().do_between_bursts([&](Pipeline& p) { p.exits().detach_host_stack(segment); });
  taps_->detach(segment);
  stacks_.erase(segment);
  if (request.detach()) return {};
  auto rings = std::make_unique<HostStackRings>();
  rings->worker = workers_->first().bell();
  SALLYPORT_TRY_VOID(taps_->attach(segment, std::move(descriptors[0]), *rings));
  workers_->first().do_between_bursts(
      [&](Pipeline& p) { p.exits().attach_host_stack(segment, *rings); });
  stacks_[segment] = std::move(rings);
  return {};
}

Result<void> Daemon::attach_ring(std::vector<os::UniqueFd> descriptors) {
  if (!ports_) return fail(ErrorKind::kUnavailable, "not-configured", "Configure comes first");
  if (descriptors.size() != 1) return fail(ErrorKind::kInvalid, "attach-ring", "one descriptor");
  SALLYPORT_TRY(os::Mapping ring,
                os::map_shared(descriptors[0].get(), sizeof(wire::HandoverMemory)));
  auto* memory = static_cast<wire::HandoverMemory*>(ring.data());
  workers_->first().do_between_bursts([&](Pipeline& p) { p.credits().attach(memory); });
  ring_ = std::move(ring);
  return {};
}

// --- revisions ---------------------------------------------------------------------------------

void Daemon::swap(std::shared_ptr<const Tables> tables) {
  workers_->on_each([&](Worker&, Pipeline& p) { p.set_tables(tables.get()); });
  in_force_ = std::move(tables);  // all workers have let go of what this frees
}

Result<void> Daemon::apply(const wire::Apply& request, std::vector<os::UniqueFd> descriptors) {
  if (!ports_) return fail(ErrorKind::kUnavailable, "not-configured", "Configure comes first");
  switch (request.phase()) {
    case wire::Phase::Prepare: {
      if (descriptors.size() != 1) {
        return fail(ErrorKind::kInvalid, "snapshot-missing", "prepare carries one memfd");
      }
      SALLYPORT_TRY(os::Mapping mapped,
                    os::map_sealed(descriptors[0].get(), wire::kMaxSnapshotSize));
      auto bytes = std::make_shared<const os::Mapping>(std::move(mapped));
      SALLYPORT_TRY(const wire::SnapshotView view, wire::SnapshotView::verify(bytes->bytes()));
      if (view.revision() != request.revision()) {
        return fail(ErrorKind::kInvalid, "snapshot-wrong-revision", "not the revision announced");
      }
      // A repeated prepare still goes back to the last committed one.
      if (!prepared_) before_ = in_force_;
      prepared_ = true;
      swap(Tables::build(view, bytes, in_force_.get()));
      return {};
    }
    case wire::Phase::Commit:
      if (in_force_ == nullptr || in_force_->revision() != request.revision()) {
        return fail(ErrorKind::kRefused, "not-prepared", "another revision is in force");
      }
      before_.reset();
      prepared_ = false;
      return {};
    case wire::Phase::Abort:
      if (!prepared_) return {};
      prepared_ = false;
      // What was in force once never is again (Tables::serial).
      if (const auto back = std::exchange(before_, nullptr))
        swap(back->again(in_force_.get()));
      else
        swap(nullptr);
      return {};
  }
  return fail(ErrorKind::kInvalid, "phase", "unknown phase");
}

// --- messages ----------------------------------------------------------------------------------

os::Outgoing Daemon::handle(const wire::Envelope& request, std::vector<os::UniqueFd> descriptors) {
  os::Outgoing out;
  const std::uint64_t id = request.id();
  const auto ack = [&](const Result<void>& outcome) {
    out.bytes = os::encode_ack(id, in_force_ == nullptr ? 0 : in_force_->revision(), outcome);
    if (!outcome) os::log::warning(outcome.error().code + ": " + outcome.error().context);
  };
  switch (request.body_type()) {
    case wire::Body::Configure: {
      const Result<void> outcome = configure(*request.body_as_Configure());
      must_end_ = !outcome && outcome.error().code != "ports-changed" &&
                  outcome.error().code != "port-slot";
      ack(outcome);
      break;
    }
    case wire::Body::AttachTap:
      ack(attach_tap(*request.body_as_AttachTap(), std::move(descriptors)));
      break;
    case wire::Body::AttachRing:
      ack(attach_ring(std::move(descriptors)));
      break;
    case wire::Body::Apply:
      ack(apply(*request.body_as_Apply(), std::move(descriptors)));
      break;
    case wire::Body::Query: {
      const wire::Query& query_body = *request.body_as_Query();
      if (wire::text(query_body.what()) == "restart") {
        must_end_ = true;
        return std::move(*os::encode_answer(id, "{}"));
      }
      if (is_capture(query_body) && ports_) {
        auto part = capture(query_body, id);
        if (part) return std::move(*part);
        out.bytes = os::encode_answer_error(id, part.error());
        break;
      }
      const Result<std::string> json = query(query_body);
      if (!json) {
        out.bytes = os::encode_answer_error(id, json.error());
      } else if (auto answer = os::encode_answer(id, *json)) {
        return std::move(*answer);
      } else {
        out.bytes = os::encode_answer_error(id, answer.error());
      }
      break;
    }
    default:
      ack(fail(ErrorKind::kInvalid, "message-unknown", "not a request to the dataplane"));
  }
  return out;
}

void Daemon::tick() {
  if (ports_) workers_->watch(os::steady_now());
  follow_links();
  if (woken_ != (ports_ && workers_->woken())) {
    woken_ = !woken_;
    os::log::info(woken_ ? "ports wake the workers when they sleep"
                         : "a port's frames came unannounced: ports are polled from now on");
  }
  if (capture_ == nullptr || !capture_->abandoned(os::steady_now())) return;
  os::log::info("a capture that nobody reads is over");
  workers_->on_each([](Worker&, Pipeline& p) { p.exits().observe(nullptr); });
  capture_.reset();
}

void Daemon::follow_links() {
  links_.resize(devices_.size());
  for (std::size_t i = 0; i < devices_.size(); ++i) {
    devices_[i]->forget_link_errors();
    const bool up = devices_[i]->health().link_up;
    const Link before = links_[i];
    if (up == (before == Link::kUp) || (!up && before == Link::kNotYetUp)) continue;
    links_[i] = up ? Link::kUp : Link::kDown;
    const std::string& port = (*ports_)[i].name;
    os::log::info(fmt::format("port {}: its link is {}", port, up ? "up" : "down"));
    if (before != Link::kNotYetUp && link_events_.size() < kEventsPerCall)
      link_events_.push_back(
          os::encode_event(up ? "link-up" : "link-down", link_event_json(port, os::wall_ns())));
  }
}

std::vector<os::Bytes> Daemon::take_events() {
  std::vector<os::Bytes> out = std::exchange(link_events_, {});
  if (!ports_) return out;
  const auto names = port_names();
  const QueryContext scope = context(names);
  Event event;
  while (out.size() < kEventsPerCall && workers_->take_event(event)) {
    out.push_back(os::encode_event(kEventNames[static_cast<std::size_t>(event.kind)],
                                   event_json(event, scope)));
  }
  return out;
}

}  // namespace sallyport::dataplane
