// NAPT44's ports, obviously correct and slow: a list of who has which, and a queue of those that
// are free. What PortMappings must agree with, and one step of a random history on both; aborts the
// process when they disagree.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <tuple>
#include <vector>

#include "dataplane/flow/port_mappings.h"
#include "policy/base/check.h"

namespace sallyport::testing {

class PortMappingsTwin {
 public:
  explicit PortMappingsTwin(dataplane::PortShare share, std::uint16_t most_of_device)
      : share_(share), most_(most_of_device) {}

  // `given` is the port that the product gave out for a new mapping: which one of those that never
  // were in use is its own business, but after them it is the one that is free for longest.
  bool may_give(const dataplane::Flow& flow, std::uint16_t given) {
    if (const auto have = of(flow); have != used_.end()) return have->second.port == given;
    if (full(flow) || over_limit(flow)) return false;
    const Pool pool{flow.at_server.segment(), flow.protocol};
    std::deque<std::uint16_t>& back = returned_[pool];
    const bool fresh = ever_[pool].size() < share_.size();
    if (fresh ? ever_[pool].contains(given) : back.front() != given) return false;
    if (!fresh) back.pop_front();
    ever_[pool][given] = true;
    return true;
  }
  void take(const dataplane::Flow& flow, std::uint16_t port) {
    Owner& owner = used_[key(flow)];
    owner.port = port;
    if (owner.flows++ == 0) owner.device = flow.at_client.device();
  }
  void release(const dataplane::Flow& flow) {
    const auto at = of(flow);
    if (--at->second.flows > 0) return;
    returned_[{flow.at_server.segment(), flow.protocol}].push_back(at->second.port);
    used_.erase(at);
  }
  bool known(const dataplane::Flow& flow) { return of(flow) != used_.end(); }
  bool full(const dataplane::Flow& flow) const {
    return std::ranges::count_if(used_, [&](const auto& u) {
             return std::get<0>(u.first) == flow.at_server.segment() &&
                    std::get<1>(u.first) == flow.protocol;
           }) == share_.size();
  }
  bool over_limit(const dataplane::Flow& flow) const {
    return std::ranges::count_if(used_, [&](const auto& u) {
             return u.second.device == flow.at_client.device();
           }) >= most_;
  }
  std::size_t size() const { return used_.size(); }

 private:
  using Key = std::tuple<dataplane::SegmentSlot, IpProtocol, IpAddress, std::uint16_t>;
  using Pool = std::pair<dataplane::SegmentSlot, IpProtocol>;
  struct Owner {
    std::uint16_t port = 0;
    std::uint32_t flows = 0;
    dataplane::DeviceSlot device = dataplane::kNoDevice;
  };
  static Key key(const dataplane::Flow& flow) {
    return {flow.at_server.segment(), flow.protocol, flow.client, flow.at_client.port};
  }
  std::map<Key, Owner>::iterator of(const dataplane::Flow& flow) { return used_.find(key(flow)); }

  dataplane::PortShare share_;
  std::uint16_t most_;
  std::map<Key, Owner> used_;
  std::map<Pool, std::map<std::uint16_t, bool>> ever_;
  std::map<Pool, std::deque<std::uint16_t>> returned_;
};

class PortMappingsDuel {
 public:
  PortMappingsDuel()
      : product_({0xfeed, 0xbeef}, kShare, kMostOfDevice), twin_(kShare, kMostOfDevice) {}

  void step(std::uint8_t what, std::uint8_t who, std::uint8_t which) {
    if (what % 5 < 2 && !flows_.empty()) return end(who % flows_.size());
    dataplane::Flow flow;
    constexpr IpProtocol kProtocols[] = {IpProtocol::kTcp, IpProtocol::kUdp, IpProtocol::kIcmp};
    flow.protocol = kProtocols[what / 5 % 3];
    flow.at_server.live(dataplane::kNoDevice,
                        static_cast<dataplane::SegmentSlot>(3 + what / 15 % 2 * 4));
    flow.client = IpAddress::v4(0x0a140000U + who % 8);
    flow.at_client.live(who % 8 / 2 == 3 ? dataplane::kNoDevice : who % 8U / 2, 0);
    flow.at_client.port = which % 16;
    flow.flags = dataplane::kMapped;
    const auto refused =
        product_.would_refuse(flow.at_server.segment(), flow.protocol, flow.at_client.device());
    const auto port = product_.take(flow);
    if (port) {
      SALLYPORT_CHECK(twin_.known(flow) || !refused);
      SALLYPORT_CHECK(twin_.may_give(flow, *port));
      twin_.take(flow, *port);
      flow.stand_in_port = *port;
      flows_.push_back(flow);
    } else {
      SALLYPORT_CHECK(!twin_.known(flow) && refused == port.error());
      SALLYPORT_CHECK(port.error() ==
                      (twin_.full(flow) ? Drop::kNatPortsExhausted : Drop::kNatDeviceLimit));
      SALLYPORT_CHECK(twin_.full(flow) || twin_.over_limit(flow));
      refused_ |= 1U << (port.error() == Drop::kNatPortsExhausted ? 0 : 1);
    }
    SALLYPORT_CHECK(product_.size() == twin_.size());
  }
  void end_all() {
    while (!flows_.empty()) end(flows_.size() - 1);
    SALLYPORT_CHECK(product_.size() == 0);
  }
  // Has each reason been met?
  bool refused_both_ways() const { return refused_ == 3; }

 private:
  static constexpr dataplane::PortShare kShare{20000, 20011};
  static constexpr std::uint16_t kMostOfDevice = 9;
  void end(std::size_t at) {
    product_.release(flows_[at]);
    twin_.release(flows_[at]);
    flows_.erase(flows_.begin() + static_cast<std::ptrdiff_t>(at));
    SALLYPORT_CHECK(product_.size() == twin_.size());
  }

  dataplane::PortMappings product_;
  PortMappingsTwin twin_;
  std::vector<dataplane::Flow> flows_;
  unsigned refused_ = 0;
};

}  // namespace sallyport::testing
