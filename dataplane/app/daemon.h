// What control may ask of the dataplane (policy/wire/messages.fbs), and what it takes to answer:
// ports, workers, host stacks, the snapshot in force and the one before it.
//
// Thread: the control thread. Every request is answered by exactly one Ack or Answer; a refused one
// changes nothing.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/app/capture_session.h"
#include "dataplane/app/workers.h"
#include "dataplane/dpdk/eal.h"
#include "policy/os/envelope.h"
#include "policy/os/memfd.h"
#include "policy/os/sandbox.h"

namespace sallyport::dataplane {

struct DaemonOptions {
  std::string run_dir = "/run/sallyport";
  std::string netns;
  std::string xdp_object;  // for net_af_xdp ports; empty: the driver's own program
  std::string user;        // empty: stay who we are (tests that are not root's)
  uid_t control_uid = 0;
  Hugepages hugepages = Hugepages::kAuto;
  std::uint32_t flows = 65536;
  std::size_t workers = 1;  // at most kMaxWorkers
};

class Daemon {
 public:
  explicit Daemon(DaemonOptions options) : options_(std::move(options)) {}

  // The message that answers `request`.
  os::Outgoing handle(const wire::Envelope& request, std::vector<os::UniqueFd> descriptors);
  // A half-made start, or control's wish: only a new process can go on.
  bool must_end() const { return must_end_; }
  // Now and then, between requests.
  void tick();
  // Events for control, at most a few per call.
  std::vector<os::Bytes> take_events();

 private:
  Result<void> configure(const wire::Configure& request);
  Result<void> open_ports(const std::vector<os::PortSpec>& ports);
  Result<void> close_walls();
  Result<void> attach_tap(const wire::AttachTap& request, std::vector<os::UniqueFd> descriptors);
  Result<void> attach_ring(std::vector<os::UniqueFd> descriptors);
  Result<void> apply(const wire::Apply& request, std::vector<os::UniqueFd> descriptors);
  void swap(std::shared_ptr<const Tables> tables);
  // daemon_reads.cc
  std::map<PortSlot, std::string> port_names() const;
  QueryContext context(const std::map<PortSlot, std::string>& names) const;
  Result<std::string> query(const wire::Query& request);
  std::string volumes(const QueryContext& context);
  std::string counters(const QueryContext& context);
  std::string status();
  void follow_links();
  static bool is_capture(const wire::Query& request);
  Result<os::Outgoing> start_capture(const wire::Query& request, std::uint64_t id);
  Result<os::Outgoing> capture(const wire::Query& request, std::uint64_t id);

  DaemonOptions options_;
  std::optional<std::vector<os::PortSpec>> ports_;
  std::vector<std::unique_ptr<EthPort>> devices_;
  // Of each of devices_, as last seen; setup raises it only after a start.
  enum class Link : std::uint8_t { kNotYetUp, kUp, kDown };
  std::vector<Link> links_;
  std::vector<os::Bytes> link_events_;  // not yet taken
  os::Mapping ring_;
  std::map<SegmentSlot, std::unique_ptr<HostStackRings>> stacks_;
  std::unique_ptr<TapThread> taps_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<CaptureSession> capture_;
  std::uint64_t captures_ = 0;  // so far, for their numbers
  std::shared_ptr<const Tables> in_force_;
  std::shared_ptr<const Tables> before_;  // until commit, what abort goes back to
  bool prepared_ = false;
  bool must_end_ = false;
  bool woken_ = false;  // as last logged
};

}  // namespace sallyport::dataplane
