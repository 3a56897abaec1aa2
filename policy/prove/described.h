// What the reviewed conduits describe, from the model alone: boxes of addresses, protocol and ports
// with the kind of treatment, and where every address lives. Internal to policy/prove; shares
// nothing with policy/compile.
//
// Virtual addresses are the compiler's free choice; they are read from the snapshot and judged
// here.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "policy/model/model.h"
#include "policy/prove/ranges.h"
#include "policy/wire/snapshot.h"

namespace sallyport::prove {

struct Transport {
  std::uint8_t protocol = 0;
  PortRange ports;
  friend bool operator==(const Transport&, const Transport&) = default;
};

struct DescribedBox {
  const model::Conduit* conduit = nullptr;  // nullptr: built-in
  std::string rule;                         // the conduit's name or "builtin:..."
  wire::RuleKind kind = wire::RuleKind::Direct;
  Ranges source;
  Ranges destination;  // empty if `name`
  std::string name;
  Transport transport;
};

struct DescribedPlace {
  const model::Segment* segment = nullptr;
  bool gateway = false;
  bool is_virtual = false;
  const model::Device* device = nullptr;
  friend bool operator==(const DescribedPlace&, const DescribedPlace&) = default;
};

class Described {
 public:
  // Borrows the model. `faults` gets what is wrong with the snapshot's virtual addresses.
  Described(const model::Gateway& gateway, std::optional<std::int32_t> today,
            const wire::SnapshotView& snapshot, std::vector<std::string>& faults);

  const std::vector<DescribedBox>& boxes() const { return boxes_; }
  DescribedPlace place(Number number) const;
  // Every number at which a place may begin.
  std::vector<Number> place_boundaries() const;
  bool enforced(const model::Conduit& conduit) const;

 private:
  struct EndRanges {
    std::map<const model::Segment*, Ranges> by_segment;  // hosts
    std::map<const model::Segment*, Ranges> gateway;     // the gateway's own, by segment
    bool is_gateway = false;
    std::string name;
  };
  void place_segments();
  void read_virtual(const wire::SnapshotView& snapshot, std::vector<std::string>& faults);
  EndRanges end(const model::End& end) const;
  void describe(const model::Conduit& conduit);
  void describe_direct(const model::Conduit& conduit, const EndRanges& from, const EndRanges& to);
  void describe_leg_a(const model::Conduit& conduit, const EndRanges& from, const EndRanges& to);
  void describe_leg_b(const model::Conduit& conduit);
  void describe_services(const model::Segment& segment);
  void add(const model::Conduit& conduit, wire::RuleKind kind, const Ranges& source,
           const Ranges& destination, const std::string& name, std::uint16_t port_override);
  const model::Segment* route(IpVersion version) const;
  const model::Segment* segment_of(Number number) const;

  const model::Gateway& gateway_;
  std::optional<std::int32_t> today_;
  std::map<const model::Segment*, Ranges> hosts_;
  std::map<const model::Segment*, Ranges> own_;
  std::map<Number, const model::Device*> devices_;
  std::map<std::string_view, const model::Device*> device_names_;
  std::map<std::string_view, const model::Segment*> segment_names_;
  std::map<std::pair<std::string, std::string>, Ranges> virtual_;
  Ranges virtual_used_;
  std::vector<std::pair<Range, const model::Segment*>> territory_;  // hosts and own, ascending
  std::vector<DescribedBox> boxes_;
};

}  // namespace sallyport::prove
