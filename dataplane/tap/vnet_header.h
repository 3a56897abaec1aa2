// The header that stands before each frame on a TAP's descriptor (IFF_VNET_HDR): what of the frame
// is still to be done. In the processor's order. Source: virtio 1.2 §5.1.6; linux/virtio_net.h,
// which is no C++.
#pragma once

#include <cstdint>

namespace sallyport::dataplane {

struct VnetHeader {
  // Bits of `flags`.
  static constexpr std::uint8_t kNeedsSum = 1;  // the sum at start + offset holds its seed only
  static constexpr std::uint8_t kSumRight = 2;  // the writer has checked it
  // Values of `gso_type`; kCongestion may be added to them.
  static constexpr std::uint8_t kWhole = 0;
  static constexpr std::uint8_t kTcp4 = 1;
  static constexpr std::uint8_t kTcp6 = 4;
  static constexpr std::uint8_t kCongestion = 0x80;  // CWR is set: the first segment's alone

  std::uint8_t flags = 0;
  std::uint8_t gso_type = kWhole;
  std::uint16_t header_size = 0;  // a hint to the reader, may be more than the headers
  std::uint16_t gso_size = 0;     // payload of each segment but the last
  std::uint16_t sum_start = 0;    // from the frame's first byte
  std::uint16_t sum_offset = 0;   // from there
};
static_assert(sizeof(VnetHeader) == 10);

}  // namespace sallyport::dataplane
