// A host stack's TAP and a device's, with the real TAP thread, pipeline and worker between them:
//
//   field's host stack --- TapThread --- Pipeline, Worker --- FrameWire --- TapThread --- the PLC
//   10.20.0.1 fd00:20::1                  the plant's policy   ordinary frames          10.20.0.5
//   fd00:20::5
//
// The PLC's kernel sits behind a TAP thread of its own, which plays the part of a network card that
// cuts and merges for its host. Between it and the gateway there are frames as on any Ethernet.
// The host stack may dial the PLC's port 502. Needs root.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "dataplane/app/worker.h"
#include "dataplane/tap/tap_thread.h"
#include "tests/support/netns.h"
#include "tests/support/pipeline_world.h"

namespace sallyport::testing {

// "tap0" of `where`, made by this call and gone with the descriptor.
os::UniqueFd make_tap(const Namespace& where);
// Runs `work` on a thread whose kernel refuses every offload of a TAP (TUNSETOFFLOAD, EINVAL).
void where_offloads_are_refused(const std::function<void()>& work);

// A namespace with a TAP that has these addresses and one permanent neighbour.
struct TapHost {
  struct Link {
    MacAddress mac;
    IpAddress v4, v6;
  };
  TapHost(const std::string& label, const Link& own, const Link& neighbour);
  Namespace where;
  os::UniqueFd tap;
};

class FrameWire final : public dataplane::PortDriver {
 public:
  struct Faults {
    bool inspect = false;  // holds each frame against plain_sums.h
    double loss = 0;       // share of the frames that are lost
    double swaps = 0;      // share of the frames that arrive behind their successor
  };
  // What it carries goes to `far`'s thread and comes from there; both outlive it.
  FrameWire(dataplane::HostStackRings& far, dataplane::TapThread& thread, const Faults& faults)
      : far_(far), thread_(thread), faults_(faults) {}
  std::size_t transmit(std::span<dataplane::Packet> burst) noexcept override;
  std::size_t receive(std::span<dataplane::Packet> burst) noexcept override;

  std::uint64_t carried() const { return carried_; }
  std::uint64_t lost() const { return lost_; }
  std::uint64_t swapped() const { return swapped_; }
  // The first frame that was not in order, and why; empty if there was none. Not while it is used.
  const std::string& complaint() const { return complaint_; }

 private:
  bool arrives(const dataplane::Packet& packet);
  bool chance(double share) { return share > 0 && std::bernoulli_distribution(share)(random_); }
  dataplane::HostStackRings& far_;
  dataplane::TapThread& thread_;
  Faults faults_;
  std::mt19937_64 random_{20261129};
  std::atomic<std::uint64_t> carried_{0}, lost_{0}, swapped_{0};
  std::string complaint_;
};

class TapRig {
 public:
  struct Options {
    FrameWire::Faults faults;
    bool host_offloads = true;
    bool peer_offloads = true;
  };
  static constexpr std::uint16_t kPort = 502;

  explicit TapRig(const Options& options);
  ~TapRig();

  const Namespace& host() const { return host_->where; }
  const Namespace& peer() const { return peer_->where; }
  static IpAddress peer_address(IpVersion version);
  // Of the gateway's TAP thread, and of the PLC's.
  const dataplane::TapThread::Counters& gateway_taps() const { return near_->counters(); }
  const dataplane::TapThread::Counters& peer_taps() const { return far_->counters(); }
  const FrameWire& wire() const { return *wire_; }
  dataplane::Worker& worker() { return *worker_; }
  // Nothing moves any more; what was counted can be read.
  void stop();

 private:
  PipelineWorld world_;  // for its policy
  dataplane::Events events_;
  std::unique_ptr<dataplane::Pipeline> pipeline_;
  std::unique_ptr<TapHost> host_, peer_;
  dataplane::HostStackRings near_rings_, far_rings_;
  std::unique_ptr<dataplane::TapThread> near_, far_;
  std::unique_ptr<FrameWire> wire_;
  std::unique_ptr<dataplane::Worker> worker_;
};

// One TCP connection. Calls on either end fail after twenty seconds without progress.
struct Connection {
  os::UniqueFd client, server;
};
// From one namespace to an address and port of another; throws std::runtime_error if it does not
// come about.
Connection connect(const Namespace& from, const Namespace& to, const IpAddress& address,
                   std::uint16_t port);
// From the host stack to the PLC.
inline Connection connect(const TapRig& rig, IpVersion version) {
  return connect(rig.host(), rig.peer(), TapRig::peer_address(version), TapRig::kPort);
}

}  // namespace sallyport::testing
