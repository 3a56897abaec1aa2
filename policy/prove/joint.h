// Compiled and described addresses cut at the same points: intervals in which neither side tells
// two addresses apart, gathered into joint classes. Internal to policy/prove.
#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policy/decide/classifier.h"
#include "policy/prove/described.h"
#include "policy/prove/ranges.h"

namespace sallyport::prove {

using JointId = std::uint32_t;

// An address that stands for its class in a witness.
struct Example {
  Number number = 0;
  std::uint32_t device = wire::kNoDevice;  // its owner
  bool speaks = false;                     // binding lets somebody send with it
};

struct JointClass {
  bool v4 = false;
  // The better first. The second is there only if it has another owner, so that a packet between
  // two classes need not be one of a device to itself.
  std::array<std::optional<Example>, 2> examples;
  std::string name;            // a DNS name instead of addresses
  std::uint32_t compiled = 0;  // the snapshot's class

  Number example() const { return examples[0] ? examples[0]->number : 0; }
  void offer(const Example& other);
};

class Joint {
 public:
  Joint(const wire::SnapshotView& snapshot, const decide::Classifier& classifier,
        const Described& described);

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
  // What tells one class from another: the version, the compiled class, the described ends.
  struct Signature {
    bool v4 = false;
    std::uint32_t compiled = 0;
    std::vector<std::size_t> sets;  // ascending
    friend auto operator<=>(const Signature&, const Signature&) = default;
  };
  // One direction: source or destination.
  struct Side {
    std::map<Ranges, std::size_t> sets;
    std::vector<std::vector<JointId>> of_set;
    std::map<std::uint32_t, std::vector<JointId>> of_class;
    std::map<Signature, JointId> known;
    std::map<std::string, std::vector<JointId>> of_name;
    std::vector<JointClass> classes;
    std::vector<std::size_t> active;  // ascending

    void intern(const Ranges& ranges);
    void toggle(std::size_t set, bool begins);
    void add(const Example& example, std::uint32_t compiled);
  };
  void cut(const wire::SnapshotView& snapshot, const decide::Classifier& classifier,
           const Described& described);
  void add_names(const wire::SnapshotView& snapshot, const Described& described);

  Side sources_;
  Side destinations_;
  std::vector<Number> starts_;
};

}  // namespace sallyport::prove
