// Compiled and described addresses cut at the same points: intervals in which neither side tells
// two addresses apart, gathered into joint classes. Internal to policy/prove.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "policy/decide/classifier.h"
#include "policy/prove/described.h"
#include "policy/prove/ranges.h"

namespace sallyport::prove {

using JointId = std::uint32_t;

struct JointClass {
  bool v4 = false;
  Number example = 0;
  bool sender = false;         // the example is one that binding lets speak
  std::string name;            // a DNS name instead of addresses
  std::uint32_t compiled = 0;  // the snapshot's class
};

class Joint {
 public:
  Joint(const wire::SnapshotView& snapshot, const Described& described);

  const std::vector<JointClass>& sources() const { return sources_.classes; }
  const std::vector<JointClass>& destinations() const { return destinations_.classes; }
  // The joint classes of one compiled class, or of one described box.
  const std::vector<JointId>& sources_of_class(std::uint32_t compiled) const;
  const std::vector<JointId>& destinations_of_class(std::uint32_t compiled) const;
  const std::vector<JointId>& sources_of(const DescribedBox& box) const;
  const std::vector<JointId>& destinations_of(const DescribedBox& box) const;

  // The first address of every interval; beyond it up to the next nothing changes.
  const std::vector<Number>& starts() const { return starts_; }

 private:
  // One direction: source or destination.
  struct Side {
    std::map<Ranges, std::size_t> sets;
    std::vector<std::vector<JointId>> of_set;
    std::map<std::uint32_t, std::vector<JointId>> of_class;
    std::map<std::pair<std::pair<bool, std::uint32_t>, std::set<std::size_t>>, JointId> known;
    std::map<std::string, std::vector<JointId>> of_name;
    std::vector<JointClass> classes;
    std::set<std::size_t> active;

    void intern(const Ranges& ranges);
    // `sender`: a host that binding would let speak is a better example than one it would not.
    void add(Number example, std::uint32_t compiled, bool sender);
  };
  void cut(const wire::SnapshotView& snapshot, const Described& described);
  void add_names(const wire::SnapshotView& snapshot, const Described& described);

  Side sources_;
  Side destinations_;
  std::vector<Number> starts_;
};

}  // namespace sallyport::prove
