// A host on both sides of a gateway: sends frames into one wire, meets them on the other, and reads
// off each how long it was on its way. The time of sending travels in a frame's last eight bytes,
// which a gateway does not touch; it is taken and read by the same thread, so one clock decides.
//
// Thread: one, best alone on its core: it never sleeps but in one_by_one(). No allocation while it
// sends. Every call ends by itself.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "dataplane/dpdk/port.h"
#include "tests/perf/fastpath/traffic.h"
#include "tests/perf/timing/histogram.h"
#include "tests/perf/timing/slices.h"

namespace sallyport::bench {

// What became of what was sent.
struct Passage {
  Histogram cycles;  // from just before sending until it was received
  std::uint64_t sent = 0;
  std::uint64_t refused = 0;  // of them, those for which the wire had no room
  double seconds = 0;         // while it sent
  std::uint64_t lost() const { return sent - cycles.count(); }
  double returned_per_second() const {
    return seconds == 0 ? 0 : static_cast<double>(cycles.count()) / seconds;
  }
};

// How long a turn of paced() is, and what its slices are.
struct Pace {
  double packets_per_second;
  double settle;  // seconds before the first slice
  double slice;   // seconds
  std::size_t slices;
};

// Between packets, by chance.
struct Pauses {
  Duration shortest, longest;
};

class Prober {
 public:
  // Frames have payload enough for a time; all of it outlives the prober.
  Prober(dataplane::PacketPool& pool, dataplane::PortDriver& out, dataplane::PortDriver& back,
         const std::vector<FrameBytes>& frames);

  // One packet at a time, as they are due (timing/pacer.h).
  Slices paced(const Pace& pace);
  // As many as the wire takes. What comes back in `seconds` is what the gateway manages.
  Passage flood(double seconds);
  // `count` packets, each after a pause in which this thread sleeps too; but for `halfway`, which
  // it does in the middle of each.
  Passage one_by_one(std::size_t count, const Pauses& pauses, const std::function<void()>& halfway);

 private:
  // The next frame, in a buffer of the stock.
  dataplane::Packet next_frame() noexcept;
  // Fills the half of the stock that begins there.
  void restock(std::size_t half) noexcept;
  // Returns when it sent.
  std::uint64_t send(std::size_t count, Passage& passage) noexcept;
  // At most `most`; `got(sent, now)` for each of this passage's.
  template <class Got>
  std::size_t receive(std::size_t most, Got&& got) noexcept;
  std::size_t receive(Passage& passage) noexcept;
  // `receive_some()` until everything that was sent is back or has had time enough.
  template <class Receive>
  void await(const Passage& passage, Receive&& receive_some) noexcept;

  dataplane::PacketPool& pool_;
  dataplane::PortDriver& out_;
  dataplane::PortDriver& back_;
  const std::vector<FrameBytes>& frames_;
  std::size_t next_ = 0;
  // Empty buffers, two bursts: while one is used the memory of the other, which the gateway wrote
  // into last, is on its way. Who waits for it with each frame is late, and measures itself.
  std::array<dataplane::Packet, 2 * dataplane::kBurst> stock_;
  std::size_t next_buffer_ = 0;
  std::uint64_t began_ = 0;
};

}  // namespace sallyport::bench
