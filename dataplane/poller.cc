#include "dataplane/poller.h"

namespace sallyport::dataplane {

std::size_t Poller::poll(Instant now) noexcept {
  std::size_t done = 0;
  std::array<Packet, kBurst> burst;
  for (std::size_t p = 0; p < ports_.size(); ++p) {
    const std::size_t count = ports_[p].driver->receive(burst);
    for (std::size_t i = 0; i < count; ++i) loads_[p].rx_bytes += burst[i].bytes().size();
    pipeline_.from_port(ports_[p].slot, std::span(burst).first(count), now);
    loads_[p].rx_packets += count;
    done += count;
  }
  for (const SegmentSlot segment : pipeline_.exits().present_stacks()) {
    const std::size_t count = pipeline_.exits().host_stack(segment).receive(burst);
    if (count != 0) pipeline_.from_host(segment, std::span(burst).first(count), now);
    done += count;
  }
  done += pipeline_.take_over(now);
  pipeline_.housekeeping(now);
  pipeline_.flush(now);
  return done;
}

}  // namespace sallyport::dataplane
