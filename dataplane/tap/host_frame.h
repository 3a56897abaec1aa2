// A frame as a host stack wrote it: whole, with a sum that is still to be filled in, or of many
// segments' size (TCP), that the writer leaves to whoever sends it. Read out of it are frames as a
// wire has them, each with the right lengths, identifier, sequence number, flags and sums, so that
// everything behind it sees what a peer without offloads would have sent. Each segment has the size
// that the host stack asked for; what does not fit where it goes, the pipeline says.
//
// Input: any bytes whatever. The header's claims are held against the frame; header_size is not
// read. Thread: one at a time; nothing is allocated. Sources: virtio 1.2 §5.1.6.2, RFC 9293 §3.1,
// RFC 3168 §6.1.2 (CWR), RFC 6864 (identifiers).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "dataplane/headers.h"
#include "dataplane/tap/vnet_header.h"
#include "policy/base/bytes.h"

namespace sallyport::dataplane {

class HostFrame {
 public:
  // The longest one: an Ethernet header and IPv6 with all the payload that it can state.
  static constexpr std::size_t kMaxSize = kEthernetSize + 40 + 65535;

  // Nothing in it.
  HostFrame() noexcept = default;
  // Nothing if header and frame contradict each other. `frame` outlives what is made of it.
  static std::optional<HostFrame> of(const VnetHeader& header, ConstBytes frame) noexcept;

  bool done() const noexcept { return left_ == 0; }
  // How many frames next() will still give.
  std::size_t left() const noexcept { return left_; }
  // Of a super-frame; the others are one frame.
  bool is_super() const noexcept { return header_size_ != 0; }
  std::size_t next_size() const noexcept { return header_size_ + next_payload(); }
  // The next frame, into `out` of next_size(). Not when done().
  void next(MutableBytes out) noexcept;

 private:
  std::size_t next_payload() const noexcept;
  bool read_super(const VnetHeader& header) noexcept;
  void write_segment(MutableBytes out) const noexcept;

  ConstBytes frame_;
  std::size_t header_size_ = 0;  // of each segment; 0: the frame is one
  std::size_t payload_ = 0;      // of the whole
  std::size_t step_ = 0;         // of each segment but the last
  std::size_t left_ = 0;
  std::size_t index_ = 0;
  std::size_t sum_start_ = 0;
  std::size_t sum_at_ = 0;  // of a whole frame; 0: there is nothing to fill in
  std::uint16_t l4_ = 0;
  bool v4_ = false;
};

}  // namespace sallyport::dataplane
