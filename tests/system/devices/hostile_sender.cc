// Puts frames of the hostile corpus on a wire.
// usage: hostile_sender INTERFACE SEED COUNT FRAMES_PER_SECOND SELF GATEWAY OTHER...
// where each host is MAC,IPV4,IPV6. Prints how many frames the interface took.
#include <fmt/core.h>

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "tests/support/hostile_corpus.h"
#include "tests/system/devices/wire.h"

namespace {

using sallyport::IpAddress;
using sallyport::MacAddress;
using sallyport::testing::HostileCorpus;
using sallyport::testing::HostileHost;
using sallyport::testing::HostileWorld;

[[noreturn]] void usage(std::string_view why) {
  fmt::print(stderr, "hostile_sender: {}\n", why);
  std::exit(2);
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) usage("not a number");
  return value;
}

HostileHost host(std::string_view text) {
  const std::size_t first = text.find(',');
  const std::size_t second = text.find(',', first + 1);
  if (second == std::string_view::npos) usage("a host is MAC,IPV4,IPV6");
  const auto mac = MacAddress::parse(text.substr(0, first));
  const auto v4 = IpAddress::parse(text.substr(first + 1, second - first - 1));
  const auto v6 = IpAddress::parse(text.substr(second + 1));
  if (!mac || !v4 || !v6) usage("a host is MAC,IPV4,IPV6");
  return {*mac, *v4, *v6};
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 8) usage("INTERFACE SEED COUNT FRAMES_PER_SECOND SELF GATEWAY OTHER...");
  HostileWorld world{.self = host(arguments[5]), .gateway = host(arguments[6]), .others = {}};
  for (int i = 7; i < count; ++i) world.others.push_back(host(arguments[i]));
  HostileCorpus corpus(number(arguments[2]), world);
  const std::uint64_t frames = number(arguments[3]);
  const std::uint64_t rate = number(arguments[4]);
  if (rate == 0) usage("a rate of nothing");
  sallyport::lab::Wire wire(arguments[1]);
  if (!wire.open()) usage("cannot open the wire");
  sallyport::lab::Pace pace(rate);
  std::uint64_t taken = 0;
  for (std::uint64_t i = 0; i < frames; ++i) {
    taken += wire.put(corpus.next().bytes) ? 1 : 0;
    pace.wait();
  }
  fmt::print("{}\n", taken);
  return 0;
}
