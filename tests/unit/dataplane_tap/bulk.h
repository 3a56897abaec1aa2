// A TCP flow's bytes, as one large frame and as the segments that a peer without offloads would
// have sent: both made by PacketBuilder, which knows nothing of cutting and merging.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "dataplane/tap/vnet_header.h"
#include "tests/support/packet_builder.h"

namespace sallyport::testing {

using Bytes = std::vector<std::uint8_t>;

struct Bulk {
  bool v4 = true;
  std::size_t size = 4000;  // of the payload
  std::size_t step = 1400;
  std::uint32_t sequence = 0xfffff000;  // wraps on the way
  std::uint16_t id = 0xfffe;
  bool uncut = false;  // IPv4: "do not fragment"
  std::uint8_t flags = 0x10;
  Bytes options = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};

  std::size_t tcp_size() const { return 20 + (options.size() + 3) / 4 * 4; }
  std::size_t l4() const { return v4 ? 34 : 54; }
  std::size_t count() const { return (size + step - 1) / step; }

  Bytes payload(std::size_t from, std::size_t bytes) const {
    Bytes out(bytes);
    for (std::size_t i = 0; i < bytes; ++i)
      out[i] = static_cast<std::uint8_t>((from + i) * 131 + (from + i) / 251);
    return out;
  }
  Bytes frame(std::size_t from, std::size_t bytes, std::size_t index,
              std::uint8_t its_flags) const {
    const auto address = [&](const char* four, const char* six) {
      return *IpAddress::parse(v4 ? four : six);
    };
    Bytes out =
        PacketBuilder(
            {*MacAddress::parse("02:00:00:00:20:05"), address("10.20.0.5", "fd00:20::5"), 502},
            {*MacAddress::parse("02:00:00:00:00:01"), address("10.20.0.1", "fd00:20::1"), 40000})
            .may_be_cut(static_cast<std::uint16_t>(id + index))
            .sequence(sequence + static_cast<std::uint32_t>(from), 77)
            .options(options)
            .payload(payload(from, bytes))
            .tcp(its_flags);
    if (v4 && uncut) {
      out[20] = 0x40;
      reseal(out);
    }
    return out;
  }
  // PSH and FIN belong to the last, CWR to the first.
  std::uint8_t flags_of(std::size_t index) const {
    unsigned out = flags;
    if (index != 0) out &= ~0x80U;
    if (index + 1 != count()) out &= ~0x09U;
    return static_cast<std::uint8_t>(out);
  }
  std::vector<Bytes> segments() const {
    std::vector<Bytes> out;
    for (std::size_t at = 0; at < size; at += step)
      out.push_back(frame(at, std::min(step, size - at), out.size(), flags_of(out.size())));
    return out;
  }
  Bytes whole() const { return frame(0, size, 0, flags); }
  dataplane::VnetHeader header() const {
    dataplane::VnetHeader out;
    out.flags = dataplane::VnetHeader::kNeedsSum;
    out.gso_type = v4 ? dataplane::VnetHeader::kTcp4 : dataplane::VnetHeader::kTcp6;
    if ((flags & 0x80U) != 0) out.gso_type |= dataplane::VnetHeader::kCongestion;
    out.header_size = static_cast<std::uint16_t>(l4() + tcp_size());
    out.gso_size = static_cast<std::uint16_t>(step);
    out.sum_start = static_cast<std::uint16_t>(l4());
    out.sum_offset = 16;
    return out;
  }
};

inline Bulk random_bulk(std::mt19937_64& random) {
  const auto up_to = [&](std::size_t most) { return random() % (most + 1); };
  Bulk out;
  out.v4 = random() % 2 == 0;
  out.options.assign(up_to(10) * 4, 1);
  const std::size_t most_step = 1500 - (out.v4 ? 20 : 40) - out.tcp_size();
  out.step = random() % 3 == 0 ? 1 + up_to(40) : 1 + up_to(most_step - 1);
  const std::size_t most = 65535 - (out.v4 ? 20 : 0) - out.tcp_size();
  out.size = 1 + up_to(std::min(most, out.step * (1 + up_to(70))) - 1);
  out.sequence = static_cast<std::uint32_t>(random());
  out.id = static_cast<std::uint16_t>(random());
  out.uncut = random() % 2 == 0;
  out.flags = static_cast<std::uint8_t>(0x10U | (random() & 0xc9U));
  return out;
}

}  // namespace sallyport::testing
