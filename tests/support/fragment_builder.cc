#include "tests/support/fragment_builder.h"

#include <algorithm>

#include "tests/support/packet_builder.h"

namespace sallyport::testing {
namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::size_t kIp = 14;

bool is_v4(const Bytes& frame) { return frame.at(kIp) >> 4 == 4; }
std::size_t head_of(const Bytes& frame) { return kIp + (is_v4(frame) ? 20U : 40U); }
void put16(Bytes& b, std::size_t at, std::size_t value) {
  b.at(at) = static_cast<std::uint8_t>(value >> 8);
  b.at(at + 1) = static_cast<std::uint8_t>(value);
}
std::size_t get16(const Bytes& b, std::size_t at) {
  return static_cast<std::size_t>(b.at(at) << 8 | b.at(at + 1));
}

}  // namespace

Bytes fragment_of(const Bytes& frame, const Cut& cut, std::uint32_t id) {
  const auto head = static_cast<std::ptrdiff_t>(head_of(frame));
  const auto from = head + static_cast<std::ptrdiff_t>(cut.offset);
  Bytes out(frame.begin(), frame.begin() + head);
  if (is_v4(frame)) {
    put16(out, kIp + 2, 20 + cut.size);
    put16(out, kIp + 4, id & 0xffff);
    put16(out, kIp + 6, cut.offset / 8 | (cut.more ? 0x2000U : 0U));
  } else {
    put16(out, kIp + 4, 8 + cut.size);
    const std::uint8_t next = out.at(kIp + 6);
    out.at(kIp + 6) = 44;
    Bytes extension(8);
    extension[0] = next;
    put16(extension, 2, cut.offset | (cut.more ? 1U : 0U));
    put16(extension, 4, id >> 16);
    put16(extension, 6, id & 0xffff);
    out.insert(out.end(), extension.begin(), extension.end());
  }
  out.insert(out.end(), frame.begin() + from,
             frame.begin() + from + static_cast<std::ptrdiff_t>(cut.size));
  reseal(out);
  return out;
}

std::vector<Bytes> fragments_of(const Bytes& frame, std::size_t size, std::uint32_t id) {
  std::vector<Bytes> out;
  const std::size_t all = frame.size() - head_of(frame);
  for (std::size_t at = 0; at < all; at += size)
    out.push_back(fragment_of(frame, {at, std::min(size, all - at), at + size < all}, id));
  return out;
}

Bytes put_together(const std::vector<Bytes>& fragments) {
  if (fragments.empty()) return {};
  const bool v4 = is_v4(fragments.front());
  const std::size_t extension = v4 ? 0 : 8;
  Bytes out;
  std::size_t next = 0;
  for (const Bytes& f : fragments) {
    const std::size_t head = head_of(f);
    const std::size_t word = get16(f, v4 ? kIp + 6 : head + 2);
    const std::size_t offset = v4 ? (word & 0x1fff) * 8 : word & 0xfff8;
    const bool more = (word & (v4 ? 0x2000U : 1U)) != 0;
    if (offset != next || more == (&f == &fragments.back())) return {};
    if (out.empty()) out.assign(f.begin(), f.begin() + static_cast<std::ptrdiff_t>(head));
    out.insert(out.end(), f.begin() + static_cast<std::ptrdiff_t>(head + extension), f.end());
    next += f.size() - head - extension;
  }
  if (v4) {
    put16(out, kIp + 2, 20 + next);
    out.at(kIp + 6) = out.at(kIp + 6) & 0x40;
    out.at(kIp + 7) = 0;
  } else {
    put16(out, kIp + 4, next);
    out.at(kIp + 6) = fragments.front().at(head_of(out));
  }
  reseal(out);
  return out;
}

}  // namespace sallyport::testing
