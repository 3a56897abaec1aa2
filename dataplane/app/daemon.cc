#include "dataplane/app/daemon.h"

#include <fmt/core.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "dataplane/app/explain_live.h"
#include "dataplane/app/queries.h"
#include "dataplane/app/walls.h"
#include "policy/os/clock.h"
#include "policy/os/log.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint32_t kPoolPackets = 16383;
constexpr std::size_t kEventsPerCall = 16;

bool same(const std::vector<os::PortSpec>& a, const std::vector<os::PortSpec>& b) {
  return std::ranges::equal(a, b, [](const os::PortSpec& x, const os::PortSpec& y) {
    return x.slot == y.slot && x.name == y.name && x.device == y.device;
  });
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
  SALLYPORT_TRY_VOID(close_walls());
  ports_ = std::move(wanted);
  SALLYPORT_TRY_VOID(taps_->start());
  worker_->start();
  return {};
}

Result<void> Daemon::open_ports(const std::vector<os::PortSpec>& ports) {
  EalOptions eal;
  eal.hugepages = options_.hugepages;
  eal.runtime_folder = options_.run_dir + "/dataplane";
  for (const os::PortSpec& port : ports) {
    if (auto address = pci_address(port.device)) eal.pci_addresses.push_back(*std::move(address));
  }
  SALLYPORT_TRY_VOID(start_eal(eal));
  SALLYPORT_TRY(pool_, make_packet_pool(kPoolPackets));
  PipelineOptions options;
  options.flows = options_.flows;
  options.now = os::steady_now();
  if (getrandom(&options.hash_secret, sizeof options.hash_secret, 0) !=
      static_cast<ssize_t>(sizeof options.hash_secret)) {
    return fail(ErrorKind::kSystem, "random", "no random numbers");
  }
  pipeline_ = std::make_unique<Pipeline>(options, *pool_, events_);
  taps_ = std::make_unique<TapThread>(*pool_);
  std::vector<Worker::Port> polled;
  for (const os::PortSpec& port : ports) {
    std::string device = port.device;
    if (device.starts_with("net_af_xdp") && !options_.xdp_object.empty() &&
        device.find("xdp_prog=") == std::string::npos) {
      device += ",xdp_prog=" + options_.xdp_object;
    }
    SALLYPORT_TRY(auto opened, EthPort::open(device, *pool_));
    pipeline_->exits().attach_port(port.slot, *opened);
    polled.push_back({port.slot, opened.get()});
    devices_.push_back(std::move(opened));
  }
  worker_ = std::make_unique<Worker>(*pipeline_, *taps_, std::move(polled));
  return {};
}

Result<void> Daemon::close_walls() {
  SALLYPORT_TRY_VOID(drop_rights());  // also of DPDK's own thread, made while we had privileges
  return install_filter();
}

// --- host stacks, ring -------------------------------------------------------------------------

Result<void> Daemon::attach_tap(const wire::AttachTap& request,
                                std::vector<os::UniqueFd> descriptors) {
  if (!worker_) return fail(ErrorKind::kUnavailable, "not-configured", "Configure comes first");
  const SegmentSlot segment = request.segment();
  if (segment >= Exits::kMaxSlots || descriptors.size() != (request.detach() ? 0U : 1U)) {
    return fail(ErrorKind::kInvalid, "attach-tap", "one TAP descriptor for a segment's slot");
  }
  // The worker first lets go of the rings, then the TAP thread, then they may end.
  worker_->do_between_bursts([&](Pipeline& p) { p.exits().detach_host_stack(segment); });
  taps_->detach(segment);
  stacks_.erase(segment);
  if (request.detach()) return {};
  auto rings = std::make_unique<HostStackRings>();
  SALLYPORT_TRY_VOID(taps_->attach(segment, std::move(descriptors[0]), *rings));
  worker_->do_between_bursts([&](Pipeline& p) { p.exits().attach_host_stack(segment, *rings); });
  stacks_[segment] = std::move(rings);
  return {};
}

Result<void> Daemon::attach_ring(std::vector<os::UniqueFd> descriptors) {
  if (!worker_) return fail(ErrorKind::kUnavailable, "not-configured", "Configure comes first");
  if (descriptors.size() != 1) return fail(ErrorKind::kInvalid, "attach-ring", "one descriptor");
  SALLYPORT_TRY(os::Mapping ring,
                os::map_shared(descriptors[0].get(), sizeof(wire::HandoverMemory)));
  auto* memory = static_cast<wire::HandoverMemory*>(ring.data());
  worker_->do_between_bursts([&](Pipeline& p) { p.credits().attach(memory); });
  ring_ = std::move(ring);
  return {};
}

// --- revisions ---------------------------------------------------------------------------------

void Daemon::swap(std::shared_ptr<const Tables> tables) {
  worker_->do_between_bursts([&](Pipeline& p) { p.set_tables(tables.get()); });
  in_force_ = std::move(tables);  // the worker has let go of what this frees
}

Result<void> Daemon::apply(const wire::Apply& request, std::vector<os::UniqueFd> descriptors) {
  if (!worker_) return fail(ErrorKind::kUnavailable, "not-configured", "Configure comes first");
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
      swap(Tables::build(view, bytes));
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
      swap(std::exchange(before_, nullptr));
      return {};
  }
  return fail(ErrorKind::kInvalid, "phase", "unknown phase");
}

// --- reads -------------------------------------------------------------------------------------

namespace {

template <class T>
std::vector<T> gather(Worker& worker, const std::function<void(Pipeline&, std::vector<T>&)>& fill) {
  std::vector<T> rows;
  worker.do_between_bursts([&](Pipeline& p) { fill(p, rows); });
  return rows;
}

void copy_flows(Pipeline& p, std::vector<Flow>& rows) {
  rows.reserve(p.flows().size());
  std::ranges::copy_if(p.flows().places(), std::back_inserter(rows), &Flow::live);
}
void copy_neighbours(Pipeline& p, std::vector<NeighbourRow>& rows) {
  for (const Neighbour& n : p.neighbours().entries()) {
    if (n.state == Neighbour::State::kFree) continue;
    rows.push_back({n.segment, n.address, n.mac, n.port, n.state == Neighbour::State::kKnown});
  }
}

}  // namespace

Result<std::string> Daemon::query(const wire::Query& request) {
  const std::string_view what = wire::text(request.what());
  if (what == "status" && !worker_) {
    return nlohmann::json{{"configured", false}, {"revision", 0}}.dump();
  }
  if (!worker_) return fail(ErrorKind::kUnavailable, "not-configured", "no ports yet");
  std::map<PortSlot, std::string> names;
  for (const os::PortSpec& port : *ports_) names[port.slot] = port.name;
  const QueryContext context{in_force_.get(), names, os::steady_now(), os::wall_ns()};
  if (what == "counters") {
    Counters counters;
    std::uint64_t events_lost = 0;
    std::vector<std::pair<PortSlot, PortCounters>> ports;
    worker_->do_between_bursts([&](Pipeline& p) {
      counters = p.counters();
      events_lost = events_.lost();
      for (std::size_t i = 0; i < ports_->size(); ++i) {
        PortCounters row = p.exits().ports()[(*ports_)[i].slot].counters();
        row.rx_packets = worker_->loads()[i].rx_packets;
        row.rx_bytes = worker_->loads()[i].rx_bytes;
        ports.emplace_back((*ports_)[i].slot, row);
      }
    });
    return counters_json(counters, events_lost, context, ports, taps_->counters());
  }
  if (what == "flows") return flows_json(gather<Flow>(*worker_, copy_flows), context);
  if (what == "neighbours") {
    return neighbours_json(gather<NeighbourRow>(*worker_, copy_neighbours), context);
  }
  if (what == "drops") {
    return drops_json(gather<DropRecord>(*worker_,
                                         [](Pipeline& p, std::vector<DropRecord>& rows) {
                                           rows = p.exits().drop_records().snapshot();
                                         }),
                      context);
  }
  if (what == "status") {
    std::uint32_t flows = 0;
    std::uint64_t polls = 0, sleeps = 0;
    worker_->do_between_bursts([&](Pipeline& p) {
      flows = p.flows().size();
      polls = worker_->polls();
      sleeps = worker_->sleeps();
    });
    return nlohmann::json{{"configured", true},
                          {"revision", in_force_ == nullptr ? 0 : in_force_->revision()},
                          {"flows", flows},
                          {"flow_capacity", options_.flows},
                          {"workers", 1},
                          {"hugepages", eal_uses_hugepages()},
                          {"free_packets", pool_->free_count()},
                          {"polls", polls},
                          {"sleeps", sleeps},
                          {"capturing", capture_ != nullptr}}
        .dump();
  }
  if (what == "explain") return explain_json(request, context, *worker_);
  return fail(ErrorKind::kUsage, "query", fmt::format("the dataplane has no \"{}\"", what));
}

// "capture-start", "capture-read", "capture-stop". Packets are in the one descriptor beside the
// JSON, which is absent when there are none.
Result<os::Outgoing> Daemon::capture(const wire::Query& request, std::uint64_t id) {
  const std::string_view what = wire::text(request.what());
  if (what == "capture-start") {
    if (capture_ != nullptr)
      return fail(ErrorKind::kRefused, "capture-running", "another capture is under way");
    capture_ = std::make_unique<CaptureSession>(++captures_, os::steady_now());
    worker_->do_between_bursts([&](Pipeline& p) { p.exits().observe(&capture_->filling()); });
    return os::encode_answer(id, nlohmann::json{{"capture", capture_->id()}}.dump());
  }
  if (capture_ == nullptr || os::argument(request, "capture") != std::to_string(capture_->id()))
    return fail(ErrorKind::kUsage, "no-capture", "no such capture is running");
  const bool last = what == "capture-stop";
  worker_->do_between_bursts([&](Pipeline& p) {
    if (!last) capture_->waiting().continue_from(capture_->filling());
    p.exits().observe(last ? nullptr : &capture_->waiting());
  });
  std::map<PortSlot, std::string> names;
  for (const os::PortSpec& port : *ports_) names[port.slot] = port.name;
  const QueryContext context{in_force_.get(), names, os::steady_now(), os::wall_ns()};
  const CaptureSession::Part part = capture_->take(context);
  if (last) capture_.reset();
  SALLYPORT_TRY(os::Outgoing out,
                os::encode_answer(
                    id, nlohmann::json{{"packets", part.packets}, {"missed", part.missed}}.dump()));
  if (part.pcapng.empty()) return out;
  SALLYPORT_TRY(os::UniqueFd memory, os::make_sealed("sallyport-capture", part.pcapng));
  out.descriptors.push_back(std::move(memory));
  return out;
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
      if (wire::text(query_body.what()).starts_with("capture-") && worker_) {
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
  for (const auto& device : devices_) device->forget_link_errors();
  if (capture_ == nullptr || !capture_->abandoned(os::steady_now())) return;
  os::log::info("a capture that nobody reads is over");
  worker_->do_between_bursts([](Pipeline& p) { p.exits().observe(nullptr); });
  capture_.reset();
}

std::vector<os::Bytes> Daemon::take_events() {
  std::vector<os::Bytes> out;
  if (!ports_) return out;
  std::map<PortSlot, std::string> names;
  for (const os::PortSpec& port : *ports_) names[port.slot] = port.name;
  const QueryContext context{in_force_.get(), names, os::steady_now(), os::wall_ns()};
  Event event;
  while (out.size() < kEventsPerCall && events_.take(event)) {
    out.push_back(os::encode_event("stolen-identity", event_json(event, context)));
  }
  return out;
}

}  // namespace sallyport::dataplane
