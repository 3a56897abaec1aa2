// Writes a capture as pcapng (draft-ietf-opsawg-pcapng): one section, one interface per port or
// host stack, each packet with its verdict as comment. What was written so far can be taken away,
// so that a capture may go on for ever in bounded memory; a packet that does not fit is counted,
// not written. One thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/base/bytes.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

class PcapngWriter {
 public:
  // At most `limit` bytes at a time; the section header is written at once.
  explicit PcapngWriter(ByteCount limit);

  // Returns the interface's number for `packet`. Call before the first packet of that interface.
  std::uint32_t add_interface(std::string_view name);

  // `wall_time` is nanoseconds since 1970. `frame` is cut to kSnapLength. False (and counted) when
  // the bound is reached.
  bool packet(std::uint32_t interface, std::int64_t wall_time_ns, ConstBytes frame,
              std::string_view comment);

  ConstBytes bytes() const { return bytes_; }
  // The bytes since the last time; what is written next continues them.
  std::vector<std::uint8_t> take() { return std::exchange(bytes_, {}); }
  std::uint64_t left_out() const { return left_out_; }
  static constexpr std::uint32_t kSnapLength = 2048;

 private:
  void u16(std::uint16_t value);
  void u32(std::uint32_t value);
  void option(std::uint16_t code, ConstBytes value);
  void padded(ConstBytes value);
  void close_block(std::size_t begin);

  std::vector<std::uint8_t> bytes_;
  std::size_t limit_;
  std::uint32_t interfaces_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace sallyport::dataplane
