#include "tests/support/pipeline_world.h"

#include <fmt/core.h>

#include <cstdlib>

#include "dataplane/dpdk/eal.h"
#include "policy/compile/compile.h"

namespace sallyport::testing {
namespace {

constexpr std::uint32_t kPoolSize = 8191;

IpAddress ip(std::string_view text) { return *IpAddress::parse(text); }
MacAddress mac(std::string_view text) { return *MacAddress::parse(text); }

// Not a judgement of the code under test: without these there is no test.
[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "pipeline world: {}\n", why);
  std::abort();
}

model::Segment segment(std::string name, std::vector<model::Member> members, model::Role role,
                       std::string_view v4, std::string_view v6) {
  model::Segment s;
  s.name = std::move(name);
  s.members = std::move(members);
  s.role = role;
  s.addresses = {{ip(v4), *IpPrefix::make(ip(v4), 24)}, {ip(v6), *IpPrefix::make(ip(v6), 64)}};
  return s;
}

model::Conduit conduit(std::string name, model::End from, model::End to, std::string text,
                       IpProtocol protocol, std::uint16_t port) {
  model::Conduit c;
  c.name = std::move(name);
  c.from = std::move(from);
  c.to = std::move(to);
  c.service = {std::move(text), protocol, {port, port}, false};
  c.review = model::Review{"tests", 20000, 40000, "the plant of the trace tests"};
  c.plaintext_accepted = true;
  return c;
}

}  // namespace

dataplane::PacketPool& test_pool() {
  static dataplane::PacketPool pool = [] {
    dataplane::EalOptions options;
    options.hugepages = dataplane::Hugepages::kOff;
    options.memory_mb = 192;
    if (auto started = dataplane::start_eal(options); !started) give_up(started.error().context);
    auto made = dataplane::make_packet_pool(kPoolSize);
    if (!made) give_up(made.error().context);
    return *made;
  }();
  return pool;
}

dataplane::PacketPool& test_datagram_pool() {
  static dataplane::PacketPool pool = [] {
    static_cast<void>(test_pool());  // which starts DPDK
    auto made = dataplane::make_datagram_pool();
    if (!made) give_up(made.error().context);
    return *made;
  }();
  return pool;
}

const std::map<std::string, Host, std::less<>>& plant_hosts() {
  static const std::map<std::string, Host, std::less<>> hosts = {
      {"plc", {"lan1", 0, "field", mac("02:00:00:00:20:05"), ip("10.20.0.5"), ip("fd00:20::5")}},
      {"meter", {"lan2", 0, "field", mac("02:00:00:00:20:06"), ip("10.20.0.6"), ip("fd00:20::6")}},
      {"camera", {"lan2", 7, "yard", mac("02:00:00:00:40:07"), ip("10.40.0.7"), ip("fd00:40::7")}},
      {"scada", {"lan3", 0, "office", mac("02:00:00:00:30:05"), ip("10.30.0.5"), ip("fd00:30::5")}},
      {"cloud",
       {"wan", 0, "uplink", mac("02:00:00:00:99:10"), ip("192.0.2.10"), ip("2001:db8::10")}},
      {"router",
       {"wan", 0, "uplink", mac("02:00:00:00:99:01"), ip("192.0.2.1"), ip("2001:db8::1")}},
      {"far",
       {"wan", 0, "uplink", mac("02:00:00:00:99:01"), ip("203.0.113.9"), ip("2001:db8:9::9")}},
      // Nobody enrolled it.
      {"rogue",
       {"lan2", 0, "field", mac("02:00:00:00:66:66"), ip("10.20.0.66"), ip("fd00:20::66")}},
  };
  return hosts;
}

model::Gateway plant() {
  model::Gateway g;
  for (const char* name : {"lan1", "lan2", "lan3", "wan"}) {
    g.ports.push_back({name, fmt::format("net_null_{}", name), {}});
  }
  model::Segment field = segment("field", {{"lan1", 0}, {"lan2", 0}}, model::Role::kDevices,
                                 "10.20.0.1", "fd00:20::1");
  field.services = model::kDhcp | model::kDns | model::kPing;
  model::Segment uplink =
      segment("uplink", {{"wan", 0}}, model::Role::kUplink, "192.0.2.2", "2001:db8::2");
  uplink.gateways = {ip("192.0.2.1"), ip("2001:db8::1")};
  g.segments = {
      field, segment("yard", {{"lan2", 7}}, model::Role::kDevices, "10.40.0.1", "fd00:40::1"),
      segment("office", {{"lan3", 0}}, model::Role::kDevices, "10.30.0.1", "fd00:30::1"), uplink};
  for (const char* name : {"plc", "meter", "camera", "scada"}) {
    const Host& host = plant_hosts().at(name);
    g.devices.push_back(
        {name, host.segment, {host.port, host.vlan}, host.mac, {host.v4, host.v6}, false, {}});
  }
  using model::AddressEnd;
  using model::DeviceEnd;
  const Host& cloud = plant_hosts().at("cloud");
  const Host& far = plant_hosts().at("far");
  g.conduits = {
      conduit("scada-plc", DeviceEnd{"scada"}, DeviceEnd{"plc"}, "tcp/502", IpProtocol::kTcp, 502),
      conduit("scada-ping", DeviceEnd{"scada"}, DeviceEnd{"plc"}, "icmp-echo", IpProtocol::kIcmp,
              8),
      conduit("meter-plc", DeviceEnd{"meter"}, DeviceEnd{"plc"}, "udp/5683", IpProtocol::kUdp,
              5683),
      conduit("meter-cloud", DeviceEnd{"meter"}, AddressEnd{{cloud.v4, cloud.v6, far.v4, far.v6}},
              "tcp/8883", IpProtocol::kTcp, 8883),
      conduit("scada-camera", DeviceEnd{"scada"}, DeviceEnd{"camera"}, "tcp/80", IpProtocol::kTcp,
              80),
  };
  model::Conduit inbound =
      conduit("cloud-plc",
              model::SegmentEnd{
                  "uplink", {*IpPrefix::parse("192.0.2.0/24"), *IpPrefix::parse("2001:db8::/64")}},
              DeviceEnd{"plc"}, "tcp/502", IpProtocol::kTcp, 502);
  model::Terminate terminate;
  terminate.listen_port = 802;
  terminate.client_auth = model::ClientAuth::kRequired;
  terminate.client_ca = "plant-ca";
  terminate.certificate = "gw";
  inbound.terminate = terminate;
  inbound.admission.inflight = 2;
  g.conduits.push_back(inbound);
  return g;
}

namespace {

dataplane::PipelineOptions options_of(std::uint32_t flows, Instant now) {
  dataplane::PipelineOptions options;
  options.flows = flows;
  options.hash_secret = {0x0123456789abcdef, 0xfedcba9876543210};
  options.now = now;
  return options;
}

}  // namespace

class PipelineWorld::CollectingPort final : public dataplane::PortDriver {
 public:
  CollectingPort(std::string name, std::vector<Frame>& out, std::uint64_t& sent_on)
      : name_(std::move(name)), out_(out), sent_on_(sent_on) {}
  std::size_t takes = SIZE_MAX;  // of each burst
  std::size_t transmit(std::span<dataplane::Packet> burst) noexcept override {
    burst = burst.first(std::min(burst.size(), takes));
    for (dataplane::Packet& packet : burst) {
      sent_on_ += packet.meta().bare ? 1 : 0;
      out_.push_back({name_, {packet.bytes().begin(), packet.bytes().end()}});
      packet.reset();
    }
    return burst.size();
  }
  std::size_t receive(std::span<dataplane::Packet>) noexcept override { return 0; }

  const std::string& name() const { return name_; }

 private:
  std::string name_;
  std::vector<Frame>& out_;
  std::uint64_t& sent_on_;
};

PipelineWorld::PipelineWorld(std::optional<model::Gateway> gateway, std::uint32_t flows,
                             dataplane::PortShare nat_ports) {
  dataplane::PipelineOptions options = options_of(flows, now_);
  options.nat_ports = nat_ports;
  Seat& seat = seats_.emplace_back();
  seat.pipeline = std::make_unique<dataplane::Pipeline>(options, test_pool(), test_datagram_pool(),
                                                        seat.events);
  seat.pipeline->exits().observe(this);
  if (gateway) apply(*gateway);
  attach_ports(gateway ? *gateway : plant(), gateway.has_value());
}

PipelineWorld::PipelineWorld(std::size_t workers, std::optional<model::Gateway> gateway,
                             std::uint32_t flows)
    : crossings_(std::make_unique<dataplane::Crossings>(workers)) {
  dataplane::PipelineOptions options = options_of(flows, now_);
  for (const dataplane::WorkerSlot i : dataplane::all_of(workers)) {
    if (workers > 1) options.crew.emplace(i, *crossings_);
    options.nat_ports = dataplane::Owners(workers).share(i);
    Seat& seat = seats_.emplace_back();
    seat.pipeline = std::make_unique<dataplane::Pipeline>(options, test_pool(),
                                                          test_datagram_pool(), seat.events);
    seat.pipeline->exits().observe(this);
    if (i != dataplane::kFirstWorker)
      seat.pipeline->exits().reach_host_stacks(
          crossings_->at(i, dataplane::kFirstWorker).permitted);
  }
  if (gateway) apply(*gateway);
  attach_ports(gateway ? *gateway : plant(), gateway.has_value());
}

// Without policy there are wires all the same; slots as the compiler gives them.
void PipelineWorld::attach_ports(const model::Gateway& gateway, bool has_policy) {
  std::uint16_t next = 0;
  for (const model::Port& port : gateway.ports) {
    const std::uint16_t number = next++;
    if (!has_policy) port_slots_[port.name] = number;
    const std::uint16_t slot = port_slots_.at(port.name);
    ports_.push_back(std::make_unique<CollectingPort>(port.name, out_, sent_on_));
    const std::size_t only = number % seats_.size();
    for (const dataplane::WorkerSlot i : dataplane::all_of(seats_.size())) {
      dataplane::Exits& exits = seats_[i].pipeline->exits();
      if (number % 2 == 0 || i == only)
        exits.attach_port(slot, *ports_.back());
      else
        exits.reach_port(slot,
                         crossings_->at(i, static_cast<dataplane::WorkerSlot>(only)).permitted);
    }
  }
}

PipelineWorld::~PipelineWorld() = default;

void PipelineWorld::apply(const model::Gateway& gateway) {
  compile::CompileInput input;
  input.revision = ++revision_;
  input.unit_id = 1;
  if (tables_ != nullptr) input.previous = compile::slots_of(tables_->view());
  auto compiled = compile::compile(gateway, input);
  if (!compiled) give_up("the plant does not compile: " + compiled.error().front().message);
  enforce(std::move(compiled->snapshot));
}

void PipelineWorld::enforce(std::vector<std::uint8_t> snapshot) {
  auto bytes = std::make_shared<const std::vector<std::uint8_t>>(std::move(snapshot));
  auto view = wire::SnapshotView::verify(*bytes);
  if (!view) give_up("the plant does not verify: " + view.error().context);
  auto tables = dataplane::Tables::build(*view, bytes, tables_.get());
  for (const Seat& seat : seats_) seat.pipeline->set_tables(tables.get());
  tables_ = std::move(tables);
  for (const wire::Port* port : *tables_->view().root().ports()) {
    port_slots_[port->name()->str()] = port->slot();
  }
  for (const auto& segment : tables_->segments()) {
    if (segment == nullptr || stacks_.contains(segment->name)) continue;
    auto& rings = stacks_[segment->name] = std::make_unique<dataplane::HostStackRings>();
    pipeline().exits().attach_host_stack(segment->slot, *rings);
  }
}

std::vector<Frame> PipelineWorld::receive(std::string_view port, ConstBytes frame) {
  verdict_ = {};
  dataplane::Packet packet = test_pool().copy_of(frame);
  if (!packet) give_up("the pool leaks packets, or a frame does not fit");
  packet.meta().fault = std::exchange(fault_, dataplane::RxFault::kNone);
  reader().from_port(port_slot(port), std::move(packet), now_);
  return collect();
}

std::vector<Frame> PipelineWorld::receive(std::string_view port,
                                          std::span<const std::vector<std::uint8_t>> burst) {
  std::vector<dataplane::Packet> packets;
  for (const auto& frame : burst) {
    packets.push_back(test_pool().copy_of(frame));
    if (!packets.back()) give_up("the pool leaks packets, or a frame does not fit");
  }
  reader().from_port(port_slot(port), packets, now_);
  return collect();
}

std::vector<Frame> PipelineWorld::receive_from_host(std::string_view segment, ConstBytes frame) {
  verdict_ = {};
  dataplane::Packet packet = test_pool().copy_of(frame);
  if (!packet) give_up("the pool leaks packets, or a frame does not fit");
  pipeline().from_host(segment_slot(segment), std::move(packet), now_);
  return collect();
}

void PipelineWorld::watch(bool watched) {
  for (const Seat& seat : seats_) seat.pipeline->exits().observe(watched ? this : nullptr);
}

void PipelineWorld::block(std::string_view port, std::size_t takes) {
  for (const auto& candidate : ports_)
    if (candidate->name() == port) candidate->takes = takes;
}

void PipelineWorld::unplug(std::string_view port) {
  for (const Seat& seat : seats_)
    seat.pipeline->exits().ports()[port_slot(port)] = dataplane::TxPort();
}

std::vector<dataplane::Packet> PipelineWorld::exhaust_pool_but_one() {
  std::vector<dataplane::Packet> hoard;
  while (dataplane::Packet packet = test_pool().alloc()) hoard.push_back(std::move(packet));
  hoard.pop_back();
  return hoard;
}

std::vector<Frame> PipelineWorld::wait(Duration time) {
  constexpr Duration kStep = std::chrono::milliseconds(50);
  const Instant until = now_ + time;
  while (now_ < until) {
    now_ = std::min(now_ + kStep, until);
    take_turns();
    for (const Seat& seat : seats_) seat.pipeline->housekeeping(now_);
  }
  return collect();
}

std::size_t PipelineWorld::take_turns() {
  std::size_t came_over = 0;
  for (const Seat& seat : seats_) came_over += seat.pipeline->take_over(now_);
  return came_over;
}

std::vector<Frame> PipelineWorld::collect() {
  // Until nothing crosses any more; what is told goes there, is asked, and comes back.
  for (std::size_t quiet = 0; seats_.size() > 1 && quiet < 3;)
    quiet = take_turns() == 0 ? quiet + 1 : 0;
  for (const Seat& seat : seats_) {
    seat.pipeline->flush(now_);
    const dataplane::Counters& c = seat.pipeline->counters();
    if (c.came() != c.accounted_for()) {
      give_up(fmt::format("{} frames came or were made, but {} are accounted for", c.came(),
                          c.accounted_for()));
    }
  }
  for (auto& [name, rings] : stacks_) {
    while (dataplane::Packet packet = rings->to_host.pop()) {
      out_.push_back({"host:" + name, {packet.bytes().begin(), packet.bytes().end()}});
    }
  }
  return std::exchange(out_, {});
}

std::uint16_t PipelineWorld::segment_slot(std::string_view name) const {
  const wire::Segment* segment = tables_->view().segment(name);
  if (segment == nullptr) give_up(fmt::format("no segment {}", name));
  return segment->slot();
}
std::uint16_t PipelineWorld::port_slot(std::string_view name) const {
  const auto found = port_slots_.find(name);
  if (found == port_slots_.end()) give_up(fmt::format("no port {}", name));
  return found->second;
}
MacAddress PipelineWorld::segment_mac(std::string_view name) const {
  return tables_ == nullptr ? mac("02:00:00:00:00:01") : tables_->segment(segment_slot(name))->mac;
}

void PipelineWorld::arrived(dataplane::Packet&, Instant) noexcept {}
void PipelineWorld::ended(const dataplane::Packet& packet, Drop reason) noexcept {
  verdict_.drop = reason;
  verdict_.stages = packet.meta().stages;
}
void PipelineWorld::left(const dataplane::Allowed& allowed) noexcept {
  verdict_.rule = allowed.rule();
  verdict_.stages = allowed.meta().stages;
}

}  // namespace sallyport::testing
