// Workers beside each other, and the rings between them: each ordered pair has one crossing, whose
// one producer and one consumer they are. Three things cross, each bounded, none waited for:
//
//   packets     bound by the worker that read them, of a flow that is the other's
//   (dataplane/owner.h).
//               They are judged there, from the beginning, and never sent on: a packet crosses
//               once.
//   permitted   judged, for a port whose queue, or a host stack whose ring, is the other's alone
//   notices     what one has learned and others go by: next hops, names
//
// Made by the control thread before the workers start; then a worker touches its own ends alone.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/exits.h"
#include "dataplane/owner.h"

namespace sallyport::dataplane {

struct Notice {
  enum class Kind : std::uint8_t {
    kNothing,
    kWhoIs,  // to the first worker: ask for `address` on the link of `segment`
    kIsAt,   // from it: the answer
    kName    // `address` is one of `name`
  } kind = Kind::kNothing;
  SegmentSlot segment = kNoSegment;
  PortSlot port = kNoPort;
  std::uint16_t vlan = 0;
  MacAddress mac;
  IpAddress address;
  std::uint64_t name = 0;  // its hash
  std::uint32_t ttl_s = 0;
};

struct Crossing {
  static constexpr std::uint32_t kRoom = 1024;
  PacketRing packets{kRoom};
  PermittedRing permitted{kRoom};
  SpscRing<Notice> notices{kRoom};

  // For the one that fills it: has anything gone in since it last asked?
  bool take_news() noexcept {
    const std::uint32_t now = packets.pushed() + permitted.pushed() + notices.pushed();
    return std::exchange(told.value, now) != now;
  }
  OwnLine<std::uint32_t> told;
};

class Crossings {
 public:
  explicit Crossings(std::size_t workers) : workers_(workers) {
    for (std::size_t i = 0; i < workers * workers; ++i)
      all_.push_back(std::make_unique<Crossing>());
  }
  std::size_t workers() const noexcept { return workers_; }
  Crossing& at(WorkerSlot from, WorkerSlot to) noexcept { return *all_[from * workers_ + to]; }
  const Crossing& at(WorkerSlot from, WorkerSlot to) const noexcept {
    return *all_[from * workers_ + to];
  }

 private:
  std::size_t workers_;
  std::vector<std::unique_ptr<Crossing>> all_;
};

// One worker's place among them.
class Crew {
 public:
  // `crossings` outlives this object.
  Crew(WorkerSlot self, Crossings& crossings)
      : self_(self), crossings_(&crossings), owners_(crossings.workers()) {}
  WorkerSlot self() const noexcept { return self_; }
  bool is_first() const noexcept { return self_ == kFirstWorker; }
  const Owners& owners() const noexcept { return owners_; }
  Crossing& to(WorkerSlot other) const noexcept { return crossings_->at(self_, other); }
  Crossing& from(WorkerSlot other) const noexcept { return crossings_->at(other, self_); }
  template <class Use>
  void each_other(Use&& use) const noexcept {
    for (const WorkerSlot other : all_of(crossings_->workers()))
      if (other != self_) use(other);
  }
  // False when it was not said, because there is no room. (Next hops are asked for again anyway.)
  bool tell(WorkerSlot other, Notice notice) const noexcept {
    return to(other).notices.push(notice);
  }

 private:
  WorkerSlot self_;
  Crossings* crossings_;
  Owners owners_;
};

}  // namespace sallyport::dataplane
