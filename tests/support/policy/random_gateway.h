// Random configurations that are dense in collisions: few addresses, few ports, every kind of end,
// service and termination, both IP versions, sometimes one missing. The same source of numbers
// gives the same configuration, so a seed replays a failure, and fuzz bytes may be the source.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "policy/model/model.h"

namespace sallyport::testing {

class Choices {
 public:
  // Yields any 32-bit numbers.
  explicit Choices(std::function<std::uint32_t()> source) : source_(std::move(source)) {}
  // 0 to bound - 1.
  std::size_t below(std::size_t bound) { return source_() % bound; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  template <class List>
  const auto& pick(const List& list) {
    return list[below(list.size())];
  }

 private:
  std::function<std::uint32_t()> source_;
};

// Conduit n has line 100 + n. May contain conduits that overlap or contradict each other.
model::Gateway random_gateway(Choices& choices);

// Addresses and ports at and around everything that the configuration names, both versions.
std::vector<IpAddress> interesting_addresses(const model::Gateway& gateway,
                                             const std::vector<IpAddress>& also);
std::vector<std::uint16_t> interesting_ports();

}  // namespace sallyport::testing
