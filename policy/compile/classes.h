// Third stage: the address space cut into elementary intervals by a sweep over every end of every
// rule, and intervals that are members of the same ends put into one class. A class is of one IP
// version, or a DNS name.
//
// Rationale: two addresses of one class cannot be told apart by any rule, so a table over pairs of
// classes is exact: neither approximation nor order is left in it.
#pragma once

#include <string>
#include <vector>

#include "policy/compile/plan.h"

namespace sallyport::compile {

using ClassId = std::uint32_t;  // 0: member of no end

struct ClassInfo {
  bool v4 = false;
  AddressNumber example = 0;
  std::string name;  // not empty: the class of a DNS name (destinations only)
};

struct ClassTable {
  struct Interval {
    AddressNumber first = 0;
    std::optional<std::size_t> segment;  // model index
    bool gateway = false;
    bool is_virtual = false;
    std::optional<std::size_t> device;  // model index
    ClassId source_class = 0;
    ClassId destination_class = 0;
  };
  std::vector<Interval> intervals;  // a partition of the whole space, ascending
  std::vector<ClassInfo> sources;   // by class; entry 0 unused
  std::vector<ClassInfo> destinations;
  // By set: the classes that are subsets of it.
  std::vector<std::vector<ClassId>> sources_of;
  std::vector<std::vector<ClassId>> destinations_of;
};

ClassTable classify(const PlanInput& input, const Plan& plan);

}  // namespace sallyport::compile
