#include "dataplane/enrolled_filter.h"

#include <bit>

namespace sallyport::dataplane {

EnrolledFilter::EnrolledFilter(const wire::SnapshotView& snapshot) {
  const std::size_t entries = snapshot.devices().size() + snapshot.device_addresses().size();
  mask_ = std::bit_ceil(entries * kBitsEach / 64 + 1) - 1;
  words_ = std::make_unique<std::uint64_t[]>(mask_ + 1);
  for (const wire::Device& device : snapshot.devices())
    if (device.valid() != 0) put(hash_of(wire::to_mac(device.mac())));
  for (const wire::Address& address : snapshot.device_addresses())
    put(hash_of(wire::to_ip(address)));
}

}  // namespace sallyport::dataplane
