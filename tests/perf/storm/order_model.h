// Why turns are called by chance and not in order of deadlines: a model of nothing but order. One
// server, no delays, clients that wait for ten seconds, pause for five and come again; whoever is
// there may be called. For docs/design/0003-admission.md.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace sallyport::storm {

// kRefusing: by chance, and two clients in five are refused when they come first, so that their
// comings and goings fall between the others'.
enum class Order : std::uint8_t { kFirstCome, kEarliestDeadline, kChance, kRefusing };
const char* name(Order order);

struct OrderRun {
  double stretch = 0;                           // time to all served over clients / capacity
  std::vector<std::pair<double, double>> done;  // time in s, share served
  std::vector<std::pair<double, double>> here;  // time in s, share waiting
};
OrderRun run_order(Order order, std::uint32_t clients, double capacity, double boot_s);

}  // namespace sallyport::storm
