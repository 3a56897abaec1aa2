// Sends one datagram to each of the 65,536 UDP ports of an address (0 too), by raw frames: a host's
// own stack refuses port 0 and stops at the first ICMP error. usage: udp_ports INTERFACE
// FRAMES_PER_SECOND FROM_MAC TO_MAC SOURCE DESTINATION SOURCE_PORT. Prints how many were sent.
#include <fmt/core.h>

#include <charconv>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "policy/base/net.h"
#include "tests/system/devices/wire.h"

namespace {

using sallyport::IpAddress;
using sallyport::MacAddress;
using Bytes = std::vector<std::uint8_t>;

constexpr std::string_view kPayload = "sallyport-lab!!!";
constexpr std::uint8_t kUdp = 17;
constexpr std::size_t kUdpHeader = 8;

[[noreturn]] void usage(std::string_view why) {
  fmt::print(stderr, "udp_ports: {}\n", why);
  std::exit(2);
}
template <class T>
T must(const std::optional<T>& value) {
  if (!value) usage("not an address");
  return *value;
}
std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value == 0) usage("not a number");
  return value;
}

void add16(Bytes& out, std::uint64_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}
void put16(Bytes& out, std::size_t at, std::uint64_t value) {
  out[at] = static_cast<std::uint8_t>(value >> 8);
  out[at + 1] = static_cast<std::uint8_t>(value);
}
void add(Bytes& out, const IpAddress& address) {
  const auto& bytes = address.bytes();
  out.insert(out.end(), bytes.begin() + (address.is_v4() ? 12 : 0), bytes.end());
}
// RFC 1071, not folded.
std::uint64_t sum(const Bytes& bytes, std::size_t from = 0) {
  std::uint64_t total = 0;
  for (std::size_t i = from; i < bytes.size(); i += 2)
    total += static_cast<std::uint64_t>(bytes[i]) << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
  return total;
}
std::uint64_t folded(std::uint64_t total) {
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  return ~total & 0xffff;
}

struct Template {
  Bytes frame;          // destination port and sum are 0
  std::size_t udp = 0;  // where UDP starts
  std::uint64_t sum = 0;
};

Template build(const MacAddress& from, const MacAddress& to, const IpAddress& source,
               const IpAddress& destination, std::uint64_t source_port) {
  const bool v4 = source.is_v4();
  const std::size_t size = kUdpHeader + kPayload.size();
  Template out;
  Bytes& f = out.frame;
  f.insert(f.end(), to.bytes().begin(), to.bytes().end());
  f.insert(f.end(), from.bytes().begin(), from.bytes().end());
  add16(f, v4 ? 0x0800 : 0x86dd);
  if (v4) {
    const std::size_t start = f.size();
    for (const std::uint64_t word :
         {std::uint64_t{0x4500}, 20 + size, std::uint64_t{1}, std::uint64_t{0x4000},
          std::uint64_t{0x4000 | kUdp}, std::uint64_t{0}})
      add16(f, word);
    add(f, source);
    add(f, destination);
    put16(f, start + 10, folded(sum(f, start)));
  } else {
    for (const std::uint64_t word : {std::uint64_t{0x6000}, std::uint64_t{0}, std::uint64_t{size},
                                     std::uint64_t{kUdp << 8 | 64}})
      add16(f, word);
    add(f, source);
    add(f, destination);
  }
  out.udp = f.size();
  for (const std::uint64_t word :
       {source_port, std::uint64_t{0}, std::uint64_t{size}, std::uint64_t{0}})
    add16(f, word);
  f.insert(f.end(), kPayload.begin(), kPayload.end());
  Bytes pseudo;
  add(pseudo, source);
  add(pseudo, destination);
  out.sum = sum(pseudo) + kUdp + size + sum(f, out.udp);
  return out;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 8)
    usage("INTERFACE FRAMES_PER_SECOND FROM_MAC TO_MAC SOURCE DESTINATION SOURCE_PORT");
  Template packet =
      build(must(MacAddress::parse(arguments[3])), must(MacAddress::parse(arguments[4])),
            must(IpAddress::parse(arguments[5])), must(IpAddress::parse(arguments[6])),
            number(arguments[7]));
  sallyport::lab::Wire wire(arguments[1]);
  if (!wire.open()) usage("cannot open the wire");
  sallyport::lab::Pace pace(number(arguments[2]));
  unsigned sent = 0;
  for (std::uint64_t port = 0; port <= 0xffff; ++port) {
    const std::uint64_t total = folded(packet.sum + port);
    put16(packet.frame, packet.udp + 2, port);
    put16(packet.frame, packet.udp + 6, total == 0 ? 0xffff : total);  // RFC 768: 0 means "no sum"
    sent += wire.put(packet.frame) ? 1 : 0;
    pace.wait();
  }
  fmt::print("{}\n", sent);
  return 0;
}
