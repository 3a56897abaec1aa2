// Who gives way when the flow table is full, in this order:
//
//   1. spent: TCP flows that both sides closed or somebody reset;
//   2. half-open: flows that only one side wanted so far (TCP before the client's ACK of the
//      server's SYN+ACK; UDP and echo without a packet from the server);
//   3. open flows that were silent for kGivesWayAfter or longer.
//
// Within 1 and 2 whoever came to be so first goes first. Open flows stand in the order in which
// they were filed; one that is found in use goes back to the end, so the order is that of their
// last use as nearly as it can be had without touching a list per packet. A flow in use never gives
// way: then the new flow is refused.
//
// Rationale: a flood of first packets displaces itself, oldest first, and nothing that works. A
// client that has a reply still to come loses its place only to newer ones.
//
// Work is bounded: kLooks flows are looked at per new flow. A UDP flow's first reply files nothing,
// the packet after it does; until then it stands among the half-open, and is judged as what it is
// when it is looked at. So a flow that may go can be missed behind kLooks that may not; who asks
// again finds it, since those are then filed behind it.
//
// Three lists through one array, a link of 8 bytes per place. Thread: one. Nothing fails. Twin:
// tests/support/flow_table_twin.h.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/flow/flow.h"
#include "dataplane/large_pages.h"

namespace sallyport::dataplane {

class EvictionOrder {
 public:
  // RFC 4787 REQ-5: no mapping for UDP may go after less than two minutes. For TCP this is shorter
  // than RFC 5382 REQ-5 asks; it applies only where the alternative is to refuse a flow.
  static constexpr Duration kGivesWayAfter = std::chrono::seconds(120);
  static constexpr std::size_t kLooks = 8;

  explicit EvictionOrder(std::size_t places) : links_(places) {}

  static FlowStanding standing_of(const Flow& flow) noexcept {
    if (flow.protocol == IpProtocol::kTcp)
      return kStandings[static_cast<std::size_t>(flow.tcp.state)];
    return flow.packets[static_cast<std::size_t>(Direction::kFromServer)] == 0
               ? FlowStanding::kHalfOpen
               : FlowStanding::kOpen;
  }
  std::size_t bytes() const noexcept { return links_.capacity() * sizeof(Link); }
  // At the end of its list, under its standing of now.
  void enter(std::span<Flow> flows, std::uint32_t place) noexcept;
  void leave(std::span<const Flow> flows, std::uint32_t place) noexcept;
  // Who comes behind it in its list; 0 = none.
  std::uint32_t after(std::uint32_t place) const noexcept { return links_.data()[place].next; }
  // leave() of that place comes soon.
  void ask_for(std::uint32_t place) const noexcept { __builtin_prefetch(links_.data() + place, 1); }

  // The place that gives way, 0 if none does; nothing changes. `silent_for(flow)` is for how long
  // no packet of it came.
  template <class SilentFor>
  std::uint32_t peek(std::span<const Flow> flows, const SilentFor& silent_for) const noexcept {
    return look(flows, silent_for).place;
  }
  // The same; who was passed over is filed anew.
  template <class SilentFor>
  std::uint32_t choose(std::span<Flow> flows, const SilentFor& silent_for) noexcept {
    const Choice choice = look(std::span<const Flow>(flows), silent_for);
    for (const std::uint32_t place : std::span(choice.passed_over).first(choice.passed)) {
      if (place == choice.place) continue;
      leave(flows, place);
      enter(flows, place);
    }
    return choice.place;
  }

 private:
  static constexpr std::array<FlowStanding, kTcpStates> kStandings = {
      FlowStanding::kHalfOpen, FlowStanding::kHalfOpen, FlowStanding::kHalfOpen,
      FlowStanding::kOpen,     FlowStanding::kOpen,     FlowStanding::kOpen,
      FlowStanding::kOpen,     FlowStanding::kSpent,    FlowStanding::kSpent};
  struct Link {
    std::uint32_t next = 0, previous = 0;  // 0 = none
  };
  struct List {
    std::uint32_t head = 0, tail = 0;
  };
  struct Choice {
    std::uint32_t place = 0;
    std::array<std::uint32_t, kLooks> passed_over{};
    std::size_t passed = 0;
  };
  List& list(FlowStanding standing) noexcept { return lists_[static_cast<std::size_t>(standing)]; }

  template <class SilentFor>
  Choice look(std::span<const Flow> flows, const SilentFor& silent_for) const noexcept {
    Choice out;
    for (const List& list : lists_) {
      for (std::uint32_t place = list.head; place != 0; place = links_[place].next) {
        if (out.passed == kLooks) return out;
        const Flow& flow = flows[place];
        const FlowStanding standing = standing_of(flow);
        const bool may = standing != FlowStanding::kOpen || silent_for(flow) >= kGivesWayAfter;
        if (may && out.place == 0) out.place = place;
        // Where it is filed it stands first; elsewhere somebody may stand before it.
        if (may && standing == flow.standing()) {
          out.place = place;
          return out;
        }
        out.passed_over[out.passed++] = place;
      }
    }
    return out;
  }

  LargeVector<Link> links_;
  std::array<List, kFlowStandings> lists_{};
};

}  // namespace sallyport::dataplane
