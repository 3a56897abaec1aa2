#include "dataplane/tap/host_frame.h"

#include <algorithm>

#include "dataplane/checksum.h"
#include "dataplane/stages/fields.h"

namespace sallyport::dataplane {
namespace {

constexpr std::uint16_t kTcpSum = 16;
constexpr std::size_t kTcpFlags = 13;
constexpr std::uint16_t kAnyFragment = 0x3fff;  // more to come, or not the first
constexpr auto kTcp = static_cast<std::uint8_t>(IpProtocol::kTcp);
// A connection's opening, its end by force and its urgent data are never many segments.
constexpr std::uint8_t kAlone = kTcpSyn | kTcpRst | kTcpUrg;
constexpr std::uint8_t kLastOnly = kTcpFin | kTcpPsh;

std::uint32_t u32_at(ConstBytes b, std::size_t at) {
  return std::byteswap(bytes_at<std::uint32_t>(b, at));
}
void put32(MutableBytes b, std::size_t at, std::uint32_t value) {
  put16(b, at, static_cast<std::uint16_t>(value >> 16));
  put16(b, at + 2, static_cast<std::uint16_t>(value));
}

// Offset of the transport header of an IP packet that says nothing but the truth about its size, is
// no fragment and carries TCP; 0 for any other.
std::size_t tcp_behind_ip(ConstBytes frame, bool v4) {
  const std::size_t fixed = kEthernetSize + (v4 ? kIpv4Size : kIpv6Size);
  if (frame.size() < fixed || u16_at(frame, 12) != (v4 ? kEtherTypeIpv4 : kEtherTypeIpv6)) return 0;
  const ConstBytes ip = frame.subspan(kEthernetSize);
  if (!v4) {
    const bool whole = ip[0] >> 4 == 6 && u16_at(ip, 4) == ip.size() - kIpv6Size;
    return whole && ip[6] == kTcp ? fixed : 0;
  }
  const std::size_t size = std::size_t{ip[0] & 0x0fU} * 4;
  if (ip[0] >> 4 != 4 || size < kIpv4Size || size > ip.size()) return 0;
  const bool whole = u16_at(ip, 2) == ip.size() && (u16_at(ip, 6) & kAnyFragment) == 0;
  return whole && ip[9] == kTcp ? kEthernetSize + size : 0;
}

}  // namespace

std::optional<HostFrame> HostFrame::of(const VnetHeader& header, ConstBytes frame) noexcept {
  HostFrame out;
  out.frame_ = frame;
  if (frame.size() < kEthernetSize || frame.size() > kMaxSize) return std::nullopt;
  const bool unfinished = (header.flags & VnetHeader::kNeedsSum) != 0;
  if (header.gso_type != VnetHeader::kWhole) {
    if (!unfinished || !out.read_super(header)) return std::nullopt;
    return out;
  }
  out.payload_ = out.step_ = frame.size();
  out.left_ = 1;
  if (!unfinished) return out;
  out.sum_start_ = header.sum_start;
  out.sum_at_ = std::size_t{header.sum_start} + header.sum_offset;
  if (out.sum_start_ < kEthernetSize || out.sum_at_ + 2 > frame.size()) return std::nullopt;
  return out;
}

bool HostFrame::read_super(const VnetHeader& header) noexcept {
  const auto type = static_cast<std::uint8_t>(header.gso_type & ~VnetHeader::kCongestion);
  v4_ = type == VnetHeader::kTcp4;
  if (!v4_ && type != VnetHeader::kTcp6) return false;
  const std::size_t l4 = tcp_behind_ip(frame_, v4_);
  if (l4 == 0 || frame_.size() < l4 + kTcpSize) return false;
  if (header.sum_start != l4 || header.sum_offset != kTcpSum) return false;
  const std::size_t tcp_size = std::size_t{frame_[l4 + 12]} / 16 * 4;
  if (tcp_size < kTcpSize || frame_.size() < l4 + tcp_size) return false;
  l4_ = static_cast<std::uint16_t>(l4);
  header_size_ = l4 + tcp_size;
  payload_ = frame_.size() - header_size_;
  step_ = header.gso_size;
  if (step_ == 0 || payload_ == 0 || header_size_ - kEthernetSize + step_ > kMtu) return false;
  left_ = (payload_ + step_ - 1) / step_;
  return left_ == 1 || (frame_[l4 + kTcpFlags] & kAlone) == 0;
}

std::size_t HostFrame::next_payload() const noexcept {
  return std::min(step_, payload_ - index_ * step_);
}

void HostFrame::next(MutableBytes out) noexcept {
  SALLYPORT_CHECK(left_ != 0 && out.size() == next_size());
  if (is_super()) {
    write_segment(out);
  } else {
    std::ranges::copy(frame_, out.begin());
    if (sum_at_ != 0) {
      InternetSum sum;
      sum.add(ConstBytes(out).subspan(sum_start_));
      // A computed zero is sent as all ones, which is the same to all but UDP (RFC 768).
      const std::uint16_t field = sum.finish();
      put16(out, sum_at_, field == 0 ? 0xffff : field);
    }
  }
  ++index_;
  --left_;
}

void HostFrame::write_segment(MutableBytes out) const noexcept {
  std::ranges::copy(frame_.first(header_size_), out.begin());
  std::ranges::copy(frame_.subspan(header_size_ + index_ * step_, out.size() - header_size_),
                    out.subspan(header_size_).begin());
  const MutableBytes ip = out.subspan(kEthernetSize);
  const MutableBytes tcp = out.subspan(l4_);
  put32(tcp, 4, u32_at(tcp, 4) + static_cast<std::uint32_t>(index_ * step_));
  if (left_ != 1) tcp[kTcpFlags] &= static_cast<std::uint8_t>(~kLastOnly);
  if (index_ != 0) tcp[kTcpFlags] &= static_cast<std::uint8_t>(~kTcpCwr);
  put16(tcp, kTcpSum, 0);
  if (v4_) {
    put16(ip, 2, static_cast<std::uint16_t>(ip.size()));
    put16(ip, 4, static_cast<std::uint16_t>(u16_at(ip, 4) + index_));
    put16(ip, 10, 0);
    InternetSum sum;
    sum.add(ConstBytes(ip).first(l4_ - kEthernetSize));
    put16(ip, 10, sum.finish());
  } else {
    put16(ip, 4, static_cast<std::uint16_t>(ip.size() - kIpv6Size));
  }
  const IpAddress source = v4_ ? v4_at(ip, 12) : v6_at(ip, 8);
  const IpAddress destination = v4_ ? v4_at(ip, 16) : v6_at(ip, 24);
  put16(tcp, kTcpSum, transport_sum(source, destination, IpProtocol::kTcp, tcp));
}

}  // namespace sallyport::dataplane
