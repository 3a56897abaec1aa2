// The flow table, obviously correct and slow: a list of flows. What FlowTable must agree with.
#pragma once

#include <algorithm>
#include <array>
#include <expected>
#include <list>
#include <span>
#include <vector>

#include "dataplane/flow/flow_table.h"
#include "policy/base/check.h"

namespace sallyport::testing {

class FlowTableTwin {
 public:
  using Flow = dataplane::Flow;
  using Standing = dataplane::FlowStanding;
  using DeviceSlot = dataplane::DeviceSlot;
  static constexpr DeviceSlot kNoDevice = dataplane::kNoDevice;
  // Its standing as filed, and when in the order of all filings that was.
  struct Entry {
    Flow flow;
    IpAddress stand_in;
    Standing filed;
    std::uint64_t stamp;
  };
  explicit FlowTableTwin(std::uint32_t capacity) : capacity_(capacity) {}

  Entry* entry(const dataplane::FlowKey& client_key) {
    for (Entry& e : entries_)
      if (e.flow.client_key() == client_key) return &e;
    return nullptr;
  }
  dataplane::FlowMatch find(const dataplane::FlowKey& key) {
    for (Entry& e : entries_) {
      if (e.flow.client_key() == key) return {&e.flow, dataplane::Direction::kFromClient};
      if (e.flow.server_key(e.stand_in) == key) return {&e.flow, dataplane::Direction::kFromServer};
    }
    return {};
  }
  bool insert(const dataplane::Opening& opening) {
    const Flow& flow = opening.flow;
    if (full() || find(flow.client_key()) || find(opening.server_key()) ||
        flow.client_key() == opening.server_key()) {
      return false;
    }
    entries_.emplace_back(flow, opening.stand_in, standing(flow), ++stamp_);
    return true;
  }
  void erase(const dataplane::FlowKey& client_key) {
    entries_.remove_if([&](const auto& e) { return e.flow.client_key() == client_key; });
  }
  void set_deadline(Entry& e, Instant deadline) {
    e.flow.deadline = dataplane::FlowTime::at(deadline);
    if (e.filed != standing(e.flow)) file(e);
  }
  // Flows whose deadline has passed by more than `slack` must be gone; by less, may be.
  bool must_be_gone(const Flow& flow, Instant now, Duration slack) const {
    return flow.deadline.instant() + slack <= now;
  }
  // Who gives way. Sorted by standing as filed, then by age of the filing; the first kLooks of them
  // are looked at until one may go and stands where it belongs. Else the first that may go. To a
  // device that has its share only its own flow gives way.
  template <class SilentFor>
  std::expected<Entry*, Drop> gives_way(DeviceSlot device, const SilentFor& silent_for) {
    std::vector<Entry*> order;
    for (Entry& e : entries_) order.push_back(&e);
    std::ranges::sort(order, {}, [](const Entry* e) { return std::pair(e->filed, e->stamp); });
    Entry* chosen = nullptr;
    std::vector<Entry*> passed_over;
    for (Entry* e : order) {
      if (passed_over.size() == dataplane::EvictionOrder::kLooks) break;
      const bool may = standing(e->flow) != Standing::kOpen ||
                       silent_for(e->flow) >= dataplane::EvictionOrder::kGivesWayAfter;
      if (may && (chosen == nullptr || standing(e->flow) == e->filed)) chosen = e;
      if (may && standing(e->flow) == e->filed) break;
      passed_over.push_back(e);
    }
    for (Entry* e : passed_over)
      if (e != chosen) file(*e);
    if (chosen == nullptr) return std::unexpected(Drop::kFlowTableFull);
    const auto held = static_cast<std::uint32_t>(std::ranges::count_if(
        entries_, [&](const Entry& e) { return e.flow.at_client.device() == device; }));
    const std::uint32_t share = std::max(capacity_ / (device == kNoDevice ? 2 : 8), 1U);
    if (chosen->flow.at_client.device() != device && held >= share)
      return std::unexpected(Drop::kFlowDeviceLimit);
    return chosen;
  }
  bool full() const { return entries_.size() == capacity_; }
  std::list<Entry>& entries() { return entries_; }

 private:
  static Standing standing(const Flow& flow) {
    using enum dataplane::TcpState;
    if (flow.protocol != IpProtocol::kTcp)
      return flow.packets[1] == 0 ? Standing::kHalfOpen : Standing::kOpen;
    if (flow.tcp.state == kBothClosing || flow.tcp.state == kClosed) return Standing::kSpent;
    if (flow.tcp.state == kSynSent || flow.tcp.state == kSynCrossed ||
        flow.tcp.state == kSynReceived)
      return Standing::kHalfOpen;
    return Standing::kOpen;
  }
  void file(Entry& e) {
    e.filed = standing(e.flow);
    e.stamp = ++stamp_;
  }

  std::uint32_t capacity_;
  std::uint64_t stamp_ = 0;
  std::list<Entry> entries_;
};

// One step of a random history on both, from a few bytes; aborts the process when they disagree.
class FlowTableDuel {
 public:
  static constexpr std::uint32_t kCapacity = 64;
  FlowTableDuel() : table_(kCapacity, {0x1111, 0x2222}, now_), twin_(kCapacity) {}

  void step(std::uint8_t what, std::uint8_t who, std::uint8_t how) {
    const dataplane::Opening opening = make(who);
    const dataplane::Flow& flow = opening.flow;
    switch (what % 7) {
      case 0:
      case 1: {
        dataplane::Opening fresh = opening;
        fresh.flow.deadline = dataplane::FlowTime::at(now_ + std::chrono::milliseconds(100) * how);
        if (twin_.full() && how % 4 != 0) make_room(flow.at_client.device());
        if (what % 7 == 1) expect(make(how % 2 == 0 ? who : how).flow.client_key());
        const bool made = table_.insert(fresh) != nullptr;
        SALLYPORT_CHECK(made == twin_.insert(fresh));
        break;
      }
      case 2:
        if (dataplane::FlowMatch match = table_.find(flow.client_key())) {
          const dataplane::FlowKey key = match.flow->client_key();
          table_.erase(*match.flow);
          twin_.erase(key);
        }
        break;
      case 3: {
        const dataplane::FlowMatch mine = table_.find(opening.server_key());
        const dataplane::FlowMatch other = twin_.find(opening.server_key());
        SALLYPORT_CHECK(static_cast<bool>(mine) == static_cast<bool>(other));
        if (!mine) break;
        SALLYPORT_CHECK(mine.direction == other.direction);
        const Instant deadline = now_ + std::chrono::milliseconds(500) * how;
        table_.set_deadline(*mine.flow, deadline);
        twin_.set_deadline(*twin_.entry(mine.flow->client_key()), deadline);
        break;
      }
      case 4:
        make_room(flow.at_client.device());
        break;
      case 5: {
        // What a packet does to a flow: to its state at once, to its list at its next deadline.
        FlowTableTwin::Entry* there = twin_.entry(flow.client_key());
        if (there == nullptr) break;
        for (dataplane::Flow* f : {&there->flow, table_.find(flow.client_key()).flow}) {
          f->tcp.state = static_cast<dataplane::TcpState>(how % dataplane::kTcpStates);
          f->packets[1] += how % 2;
        }
        break;
      }
      default:
        // Rarely a pause of more than a whole turn of the wheel.
        now_ =
            now_ + std::chrono::milliseconds(50) * how + std::chrono::seconds(how == 255 ? 900 : 0);
        settle();
    }
    compare();
  }

 private:
  // What comes next may be another one.
  void expect(const dataplane::FlowKey& key) {
    std::array<dataplane::FlowTable::Asked, 1> asked{{{key, {}}}};
    table_.approach(std::span(asked));
    table_.expect(key, asked[0].looking);
  }
  void make_room(dataplane::DeviceSlot device) {
    // As if every flow had been good for so long a silence.
    const auto silent_for = [this](const dataplane::Flow& f) {
      return now_ + std::chrono::seconds(125) - f.deadline.instant();
    };
    const std::optional<Drop> refused = table_.would_refuse(device, silent_for);
    const bool full = table_.full();
    const auto mine = table_.gives_way(device, silent_for);
    const auto other = twin_.gives_way(device, silent_for);
    SALLYPORT_CHECK(mine.has_value() == other.has_value());
    SALLYPORT_CHECK(refused == (mine || !full ? std::nullopt : std::optional(mine.error())));
    if (!mine) {
      SALLYPORT_CHECK(mine.error() == other.error());
      return;
    }
    const dataplane::FlowKey key = (*mine)->client_key();
    SALLYPORT_CHECK(key == (*other)->flow.client_key());
    table_.erase(**mine);
    twin_.erase(key);
  }
  // Few addresses, so that keys collide often; every third flow is rewritten, every fifth UDP.
  // Three devices, and others.
  static dataplane::Opening make(std::uint8_t who) {
    dataplane::Opening out;
    dataplane::Flow& flow = out.flow;
    flow.client = IpAddress::v4(0x0a000000U + who % 13);
    flow.server = IpAddress::v4(0x0a000000U + who % 7);
    if (who % 3 == 0) out.stand_in = IpAddress::v4(0x0a0000ffU - who % 2);
    if (who % 2 == 0) flow.flags = dataplane::kMapped * (who % 3 == 0);
    // Some are the reverse of another, and some of themselves.
    flow.at_client.port = static_cast<std::uint16_t>(who % 11 < 5 ? 502 : 1000 + who % 11);
    if (who % 4 != 3) flow.at_client.live(who % 4, 0);
    flow.at_server.port = 502;
    flow.stand_in_port = who % 3 == 0 ? 40000 : 502;
    flow.protocol = who % 5 == 0 ? IpProtocol::kUdp : IpProtocol::kTcp;
    return out;
  }
  void settle() {
    // More than enough calls for everything that is due.
    for (int i = 0; i < 64; ++i) table_.expire(now_, 16);
    twin_.entries().remove_if([&](const FlowTableTwin::Entry& e) {
      const dataplane::Flow& f = e.flow;
      const bool here = static_cast<bool>(table_.find(f.client_key()));
      SALLYPORT_CHECK(here || f.deadline.instant() <= now_);
      SALLYPORT_CHECK(!here || !twin_.must_be_gone(f, now_, dataplane::FlowTable::kTick));
      return !here;
    });
  }
  void compare() {
    SALLYPORT_CHECK(table_.size() == twin_.entries().size());
    for (const auto& [f, stand_in, filed, stamp] : twin_.entries()) {
      const dataplane::FlowMatch there = table_.find(f.client_key());
      const dataplane::FlowMatch back = table_.find(f.server_key(stand_in));
      SALLYPORT_CHECK(there && there.direction == dataplane::Direction::kFromClient);
      SALLYPORT_CHECK(back && back.direction == dataplane::Direction::kFromServer);
      SALLYPORT_CHECK(there.flow == back.flow && there.flow->deadline == f.deadline);
      SALLYPORT_CHECK(there.flow->standing() == filed);
      SALLYPORT_CHECK(table_.stand_in(*there.flow) == stand_in);
    }
    compare_burst();
  }
  // Keys that are there and keys that are not, looked up together.
  void compare_burst() {
    std::array<dataplane::FlowTable::Asked, 32> burst;
    for (std::size_t i = 0; i < burst.size(); ++i)
      burst[i].key = make(static_cast<std::uint8_t>(8 * i)).flow.client_key();
    table_.approach(std::span(burst));
    for (const auto& [key, looking] : burst) {
      const dataplane::FlowMatch together = table_.find(key, looking), alone = table_.find(key);
      SALLYPORT_CHECK(together.flow == alone.flow);
      SALLYPORT_CHECK(!alone || together.direction == alone.direction);
    }
  }

  Instant now_ = Instant::from_ns(5'000'000'000);
  dataplane::FlowTable table_;
  FlowTableTwin twin_;
};

}  // namespace sallyport::testing
