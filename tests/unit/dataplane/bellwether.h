// A port whose frames the test announces, for workers that sleep.
#pragma once

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <utility>
#include <vector>

#include "dataplane/dpdk/port.h"
#include "tests/support/pipeline_world.h"

namespace sallyport::testing {

// A port that announces frames as a device does: only while it is armed, and only those that come
// afterwards.
class Bellwether final : public dataplane::PortDriver {
 public:
  // What comes in by it, again and again.
  explicit Bellwether(std::vector<std::uint8_t> frame = std::vector<std::uint8_t>(60))
      : frame_(std::move(frame)) {}
  std::size_t transmit(std::span<dataplane::Packet> burst) noexcept override {
    for (dataplane::Packet& packet : burst) packet.reset();
    left_ += burst.size();
    return burst.size();
  }
  std::size_t receive(std::span<dataplane::Packet> burst) noexcept override {
    std::size_t count = 0;
    for (; count < burst.size() && taken_ < sent_.load(); ++count, ++taken_)
      burst[count] = test_pool().copy_of(frame_);
    received_ = taken_;
    ++looks_;
    return count;
  }
  int arrivals() const noexcept override { return fd_.get(); }
  void arm() noexcept override {
    if (slipping_ > 0) {
      --slipping_;
      ++sent_;
    }
    looks_ = 0;
    taken_when_armed_ = taken_;
    armed_ = true;
  }
  void disarm() noexcept override {
    if (looks_ == 1 && taken_ == taken_when_armed_ && taken_ < sent_.load()) ++kept_waiting_;
    armed_ = false;
  }
  void distrust() noexcept override { distrusted_ = true; }

  void arrive() {
    ++sent_;
    if (armed_) signal();
  }
  void signal() { ASSERT_EQ(::eventfd_write(fd_.get(), 1), 0); }
  // So many frames come one by one, each at the last moment before arm().
  void slip_in(std::uint64_t count) { slipping_ = count; }
  bool armed() const { return armed_; }
  bool distrusted() const { return distrusted_; }
  std::uint64_t received() const { return received_; }
  // How often somebody who had looked in vain, and then slept, disarmed it while a frame waited.
  std::uint64_t kept_waiting() const { return kept_waiting_; }
  // By it, onto the wire.
  std::uint64_t left() const { return left_; }

 private:
  os::UniqueFd fd_{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
  std::uint64_t taken_ = 0, taken_when_armed_ = 0, looks_ = 0, slipping_ = 0;
  std::vector<std::uint8_t> frame_;
  std::atomic<std::uint64_t> sent_ = 0, received_ = 0, left_ = 0, kept_waiting_ = 0;
  std::atomic<bool> armed_ = false;
  bool distrusted_ = false;
};

}  // namespace sallyport::testing
