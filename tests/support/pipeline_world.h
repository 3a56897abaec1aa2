// A gateway without wires: the real pipeline over the real compiled policy, with ports that collect
// what leaves. One small plant, the same for trace tests, hostile corpus and benchmarks:
//
//   lan1 plc    10.20.0.5  fd00:20::5    field           lan3 scada 10.30.0.5  fd00:30::5   office
//   lan2 meter  10.20.0.6  fd00:20::6    field           wan  cloud 192.0.2.10 2001:db8::10 uplink
//   lan2.7 camera 10.40.0.7 fd00:40::7   yard (VLAN 7)   wan  router 192.0.2.1 2001:db8::1
//
//   scada > plc tcp/502 (direct) and icmp-echo; meter > plc udp/5683; meter > cloud tcp/8883
//   (direct); cloud > plc tcp/502, terminated at the gateway's port 802; scada > camera tcp/80
//
// DPDK starts once per process, without hugepages, devices or threads of its own.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/pipeline.h"
#include "policy/model/model.h"
#include "tests/support/packet_builder.h"

namespace sallyport::testing {

dataplane::PacketPool& test_pool();
dataplane::PacketPool& test_datagram_pool();

struct Frame {
  std::string where;  // port name, or "host:SEGMENT"
  std::vector<std::uint8_t> bytes;
};
// What became of the last packet that came in.
struct Verdict {
  std::optional<Drop> drop;
  std::optional<dataplane::RuleSlot> rule;
  std::uint16_t stages = 0;
};

struct Host {
  std::string port;
  std::uint16_t vlan;
  std::string segment;
  MacAddress mac;
  IpAddress v4;
  IpAddress v6;
  const IpAddress& address(IpVersion version) const { return version == IpVersion::k4 ? v4 : v6; }
};
const std::map<std::string, Host, std::less<>>& plant_hosts();
model::Gateway plant();

class PipelineWorld : private dataplane::VerdictObserver {
 public:
  static constexpr Instant kStart = Instant::from_ns(1'000'000'000'000);
  // The plant under `gateway`'s policy; without one, no tables at all.
  explicit PipelineWorld(std::optional<model::Gateway> gateway = plant(),
                         std::uint32_t flows = 1024, dataplane::PortShare nat_ports = {});
  // The same of several workers, as dataplane/app/workers.h puts them together: each packet is read
  // by another one, and of every second port only one has the queue to send by.
  PipelineWorld(std::size_t workers, std::optional<model::Gateway> gateway,
                std::uint32_t flows = 1024);
  ~PipelineWorld() override;

  // In by a port's wire, or out of a segment's host stack. Returns everything that left. Each time
  // the counters must add up (telemetry/counters.h), or the process ends.
  std::vector<Frame> receive(std::string_view port, ConstBytes frame);
  // The same for a burst, as a port's driver hands it up.
  std::vector<Frame> receive(std::string_view port,
                             std::span<const std::vector<std::uint8_t>> burst);
  std::vector<Frame> receive_from_host(std::string_view segment, ConstBytes frame);
  // Time passes, with housekeeping at least every 50 ms. Returns what left meanwhile.
  std::vector<Frame> wait(Duration time);
  // Time passes and nobody sees it.
  void leap(Duration time) { now_ = now_ + time; }
  // Another revision comes into force.
  void apply(const model::Gateway& gateway);
  // The same for a sealed snapshot that somebody else has made.
  void enforce(std::vector<std::uint8_t> snapshot);

  // Misfortunes: a port whose driver takes nothing any more, one that is not there, a pool with
  // room for one more frame only (as long as what is returned lives), a driver that hands up the
  // next frame with this fault.
  // Its driver takes so many packets of each burst from now on.
  void block(std::string_view port, std::size_t takes = 0);
  void unplug(std::string_view port);
  std::vector<dataplane::Packet> exhaust_pool_but_one();
  // While nobody observes, verdict() stays as it was, and open flows' packets go the short way.
  void watch(bool watched);
  // Packets that did (dataplane/stages/open_flow.h).
  std::uint64_t sent_on() const { return sent_on_; }
  void next_fault(dataplane::RxFault fault) { fault_ = fault; }

  const Verdict& verdict() const { return verdict_; }
  // The first worker's; `read_by` makes it another's turn to read.
  dataplane::Pipeline& pipeline() { return *seats_.front().pipeline; }
  dataplane::Events& events() { return seats_.front().events; }
  std::size_t workers() const { return seats_.size(); }
  dataplane::Pipeline& pipeline_of(std::size_t worker) { return *seats_[worker].pipeline; }
  void read_by(std::size_t worker) { turn_ = worker; }
  const dataplane::Tables& tables() const { return *tables_; }
  Instant now() const { return now_; }
  std::uint16_t segment_slot(std::string_view name) const;
  std::uint16_t port_slot(std::string_view name) const;
  MacAddress segment_mac(std::string_view name) const;

 private:
  class CollectingPort;
  void arrived(dataplane::Packet& packet, Instant now) noexcept override;
  void ended(const dataplane::Packet& packet, Drop reason) noexcept override;
  void left(const dataplane::Allowed& allowed) noexcept override;
  std::vector<Frame> collect();
  struct Seat {
    dataplane::Events events;
    std::unique_ptr<dataplane::Pipeline> pipeline;
  };
  void attach_ports(const model::Gateway& gateway, bool has_policy);
  dataplane::Pipeline& reader() { return *seats_[turn_++ % seats_.size()].pipeline; }
  // A turn of every worker; how many packets came over.
  std::size_t take_turns();

  Instant now_ = kStart;
  std::uint64_t revision_ = 0;
  std::unique_ptr<dataplane::Crossings> crossings_;
  std::deque<Seat> seats_;
  std::size_t turn_ = 0;
  std::unique_ptr<const dataplane::Tables> tables_;
  std::map<std::string, std::uint16_t, std::less<>> port_slots_;
  std::vector<std::unique_ptr<CollectingPort>> ports_;
  std::map<std::string, std::unique_ptr<dataplane::HostStackRings>> stacks_;
  std::vector<Frame> out_;
  std::uint64_t sent_on_ = 0;
  dataplane::RxFault fault_ = dataplane::RxFault::kNone;
  Verdict verdict_;
};

}  // namespace sallyport::testing
