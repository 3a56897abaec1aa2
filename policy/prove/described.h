// What the reviewed conduits describe, from the model alone: boxes of addresses, protocol and ports
// with the kind of treatment, what the terminator is to be told, and where every address lives.
// Internal to policy/prove; shares nothing with policy/compile.
//
// Virtual addresses are the compiler's free choice; they are read from the snapshot and judged
// here. Borrows the model. Thread: none shared.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
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

  // Conduits as written, then services, then leg B: the first that holds a packet names it.
  unsigned rank() const {
    return kind == wire::RuleKind::LegB ? 2 : static_cast<unsigned>(conduit == nullptr);
  }
};

struct DescribedPlace {
  const model::Segment* segment = nullptr;
  bool gateway = false;
  bool is_virtual = false;
  const model::Device* device = nullptr;
  friend bool operator==(const DescribedPlace&, const DescribedPlace&) = default;
};

// What the terminator must do for a conduit, beyond what the conduit itself says.
struct DescribedTermination {
  std::set<std::string> listen_segments;
  std::string server_name;
  std::vector<IpAddress> server_addresses;
  std::uint16_t server_port = 0;
  std::string server_segment;
  friend bool operator==(const DescribedTermination&, const DescribedTermination&) = default;
};

class Described {
 public:
  // `faults` gets what is wrong with the snapshot's virtual addresses.
  Described(const model::Gateway& gateway, std::optional<std::int32_t> today,
            const wire::SnapshotView& snapshot, std::vector<std::string>& faults);

  const std::vector<DescribedBox>& boxes() const { return boxes_; }
  DescribedPlace place(Number number) const;
  // Every number at which a place may begin.
  std::vector<Number> place_boundaries() const;
  bool enforced(const model::Conduit& conduit) const;
  // nullptr if the conduit is not in force, or not terminated, or has no server.
  const DescribedTermination* termination(const model::Conduit& conduit) const;
  // (segment, name): the question that the segment's resolver answers for this conduit, if any.
  std::optional<std::pair<std::string, std::string>> question(const model::Conduit& conduit) const;
  // DNS servers that the terminator may ask.
  const std::vector<IpAddress>& resolvers() const { return resolvers_; }

 private:
  struct EndRanges {
    std::map<const model::Segment*, Ranges> by_segment;  // hosts
    std::map<const model::Segment*, Ranges> gateway;     // the gateway's own, by segment
    bool is_gateway = false;
    std::string name;
  };
  void place_segments();
  void read_virtual(const wire::SnapshotView& snapshot, std::vector<std::string>& faults);
  void judge_virtual(std::vector<std::string>& faults) const;
  EndRanges end(const model::End& end) const;
  void describe(const model::Conduit& conduit);
  void describe_direct(const model::Conduit& conduit, const EndRanges& from, const EndRanges& to);
  void describe_services(const model::Segment& segment);
  void add(const model::Conduit& conduit, wire::RuleKind kind, const Ranges& source,
           const Ranges& destination, const std::string& name, std::uint16_t port_override);
  const model::Segment* route(IpVersion version) const;
  const model::Segment* segment_of(Number number) const;

  // described_terminated.cc
  void describe_terminated(const model::Conduit& conduit, const EndRanges& from,
                           const EndRanges& to);
  void describe_leg_a(const model::Conduit& conduit, const EndRanges& from, const EndRanges& to);
  void describe_leg_b(const model::Conduit& conduit, const DescribedTermination& told);
  std::optional<DescribedTermination> server_of(const model::Conduit& conduit,
                                                const EndRanges& to) const;
  void note_resolvers(const model::Conduit& conduit, const EndRanges& to);

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
  std::map<const model::Conduit*, DescribedTermination> terminations_;
  std::vector<IpAddress> resolvers_;
};

}  // namespace sallyport::prove
