// The flow table, obviously correct and slow: a list of flows. What FlowTable must agree with.
#pragma once

#include <algorithm>
#include <list>

#include "dataplane/flow/flow_table.h"
#include "policy/base/check.h"

namespace sallyport::testing {

class FlowTableTwin {
 public:
  explicit FlowTableTwin(std::uint32_t capacity) : capacity_(capacity) {}

  dataplane::FlowMatch find(const dataplane::FlowKey& key) {
    for (dataplane::Flow& flow : flows_) {
      if (flow.client_key() == key) return {&flow, dataplane::Direction::kFromClient};
      if (flow.server_key() == key) return {&flow, dataplane::Direction::kFromServer};
    }
    return {};
  }
  bool insert(const dataplane::Flow& flow) {
    if (flows_.size() == capacity_ || find(flow.client_key()) || find(flow.server_key()) ||
        flow.client_key() == flow.server_key()) {
      return false;
    }
    flows_.push_back(flow);
    return true;
  }
  void erase(const dataplane::FlowKey& client_key) {
    flows_.remove_if([&](const auto& f) { return f.client_key() == client_key; });
  }
  // Flows whose deadline has passed by more than `slack` must be gone; by less, may be.
  bool must_be_gone(const dataplane::Flow& flow, Instant now, Duration slack) const {
    return flow.deadline + slack <= now;
  }
  std::list<dataplane::Flow>& flows() { return flows_; }

 private:
  std::uint32_t capacity_;
  std::list<dataplane::Flow> flows_;
};

// One step of a random history on both, from a few bytes; aborts the process when they disagree.
class FlowTableDuel {
 public:
  static constexpr std::uint32_t kCapacity = 64;
  FlowTableDuel() : table_(kCapacity, {0x1111, 0x2222}, now_), twin_(kCapacity) {}

  void step(std::uint8_t what, std::uint8_t who, std::uint8_t how) {
    const dataplane::Flow flow = make(who);
    switch (what % 5) {
      case 0:
      case 1: {
        dataplane::Flow fresh = flow;
        fresh.deadline = now_ + std::chrono::milliseconds(100) * how;
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
        const dataplane::FlowMatch mine = table_.find(flow.server_key());
        const dataplane::FlowMatch other = twin_.find(flow.server_key());
        SALLYPORT_CHECK(static_cast<bool>(mine) == static_cast<bool>(other));
        if (!mine) break;
        const Instant deadline = now_ + std::chrono::milliseconds(500) * how;
        table_.set_deadline(*mine.flow, deadline);
        other.flow->deadline = deadline;
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
  // Few addresses, so that keys collide often; every third flow is rewritten.
  static dataplane::Flow make(std::uint8_t who) {
    dataplane::Flow flow;
    flow.client = IpAddress::v4(0x0a000000U + who % 13);
    flow.server = IpAddress::v4(0x0a000000U + who % 7);
    flow.target = who % 3 == 0 ? IpAddress::v4(0x0a0000ffU) : flow.server;
    flow.client_port = static_cast<std::uint16_t>(1000 + who % 11);
    flow.server_port = 502;
    flow.target_port = who % 3 == 0 ? 40000 : 502;
    return flow;
  }
  void settle() {
    // More than enough calls for everything that is due.
    for (int i = 0; i < 64; ++i) table_.expire(now_, 16);
    twin_.flows().remove_if([&](const dataplane::Flow& f) {
      const bool here = static_cast<bool>(table_.find(f.client_key()));
      SALLYPORT_CHECK(here || f.deadline <= now_);
      SALLYPORT_CHECK(!here || !twin_.must_be_gone(f, now_, dataplane::FlowTable::kTick));
      return !here;
    });
  }
  void compare() {
    SALLYPORT_CHECK(table_.size() == twin_.flows().size());
    for (const dataplane::Flow& f : twin_.flows()) {
      const dataplane::FlowMatch there = table_.find(f.client_key());
      const dataplane::FlowMatch back = table_.find(f.server_key());
      SALLYPORT_CHECK(there && there.direction == dataplane::Direction::kFromClient);
      SALLYPORT_CHECK(back && back.direction == dataplane::Direction::kFromServer);
      SALLYPORT_CHECK(there.flow == back.flow && there.flow->deadline == f.deadline);
    }
  }

  Instant now_ = Instant::from_ns(5'000'000'000);
  dataplane::FlowTable table_;
  FlowTableTwin twin_;
};

}  // namespace sallyport::testing
