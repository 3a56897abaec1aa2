#include "dataplane/telemetry/pcapng.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace sallyport::dataplane {
namespace {

constexpr std::uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr std::uint32_t kInterfaceDescription = 1;
constexpr std::uint32_t kEnhancedPacket = 6;
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr std::uint16_t kLinkEthernet = 1;
constexpr std::uint16_t kOptionEnd = 0;
constexpr std::uint16_t kOptionComment = 1;
constexpr std::uint16_t kOptionInterfaceName = 2;
constexpr std::uint16_t kOptionTimeResolution = 9;
constexpr std::uint8_t kNanoseconds = 9;  // 10^-9 s

ConstBytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

PcapngWriter::PcapngWriter(ByteCount limit) : limit_(static_cast<std::size_t>(limit.bytes())) {
  const std::size_t begin = bytes_.size();
  u32(kSectionHeader);
  u32(0);
  u32(kByteOrderMagic);
  u16(1);
  u16(0);
  u32(0xffffffff);  // section length: unknown
  u32(0xffffffff);
  close_block(begin);
}

std::uint32_t PcapngWriter::add_interface(std::string_view name) {
  const std::size_t begin = bytes_.size();
  u32(kInterfaceDescription);
  u32(0);
  u16(kLinkEthernet);
  u16(0);
  u32(kSnapLength);
  option(kOptionInterfaceName, as_bytes(name));
  option(kOptionTimeResolution, ConstBytes(&kNanoseconds, 1));
  option(kOptionEnd, {});
  close_block(begin);
  return interfaces_++;
}

bool PcapngWriter::packet(std::uint32_t interface, std::int64_t wall_time_ns, ConstBytes frame,
                          std::string_view comment) {
  const ConstBytes kept = frame.first(std::min<std::size_t>(frame.size(), kSnapLength));
  const std::size_t most = 32 + kept.size() + 3 + 4 + comment.size() + 3 + 4 + 4;
  if (interface >= interfaces_ || comment.size() > 1024 || bytes_.size() + most > limit_) {
    ++left_out_;
    return false;
  }
  const std::size_t begin = bytes_.size();
  const auto time = static_cast<std::uint64_t>(wall_time_ns);
  u32(kEnhancedPacket);
  u32(0);
  u32(interface);
  u32(static_cast<std::uint32_t>(time >> 32));
  u32(static_cast<std::uint32_t>(time));
  u32(static_cast<std::uint32_t>(kept.size()));
  u32(static_cast<std::uint32_t>(frame.size()));
  padded(kept);
  option(kOptionComment, as_bytes(comment));
  option(kOptionEnd, {});
  close_block(begin);
  return true;
}

void PcapngWriter::u16(std::uint16_t value) {
  bytes_.push_back(static_cast<std::uint8_t>(value));
  bytes_.push_back(static_cast<std::uint8_t>(value >> 8));
}

void PcapngWriter::u32(std::uint32_t value) {
  u16(static_cast<std::uint16_t>(value));
  u16(static_cast<std::uint16_t>(value >> 16));
}

void PcapngWriter::padded(ConstBytes value) {
  bytes_.insert(bytes_.end(), value.begin(), value.end());
  while (bytes_.size() % 4 != 0) bytes_.push_back(0);
}

void PcapngWriter::option(std::uint16_t code, ConstBytes value) {
  u16(code);
  u16(static_cast<std::uint16_t>(value.size()));
  padded(value);
}

// Both length fields of a block hold its whole size, the trailing one included.
void PcapngWriter::close_block(std::size_t begin) {
  const auto size = static_cast<std::uint32_t>(bytes_.size() - begin + 4);
  u32(size);
  for (std::size_t i = 0; i < 4; ++i)
    bytes_[begin + 4 + i] = static_cast<std::uint8_t>(size >> (8 * i));
}

}  // namespace sallyport::dataplane
