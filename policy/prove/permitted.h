// What the compiled tables let start a flow, for reading: the matrix of segments and, between any
// two ends, the exact set as disjoint boxes. From the snapshot's bytes alone, by the classifier's
// own rules: senders are those that binding lets speak (in a segment of devices the enrolled ones
// and, from its host stack, the gateway), and no device starts a flow to itself.
//
// Boxes to a DNS name stand for hosts beyond an uplink that are learned under it; whatever such a
// host's address may be sent by itself is another box. All others are disjoint.
//
// Thread: none shared. Cannot fail.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/prove/ranges.h"
#include "policy/wire/snapshot.h"

namespace sallyport::prove {

// Ends are segments by name, "gateway:<segment>" for the gateway's own addresses there, "virtual"
// and "name:<dns name>".
struct Cell {
  std::string from;
  std::string to;
  std::vector<std::string> rules;  // names, sorted
};

// Non-empty cells, sorted.
std::vector<Cell> matrix(const wire::SnapshotView& snapshot);

struct PermittedEnd {
  std::string end;     // as in Cell
  std::string device;  // its owner, if enrolled
  Range addresses;     // of no meaning if `name`
  std::string name;    // a DNS name instead of addresses
};

struct PermittedBox {
  PermittedEnd from;
  PermittedEnd to;
  std::uint8_t protocol = 0;
  PortRange ports;  // destination ports; the type of an echo request
  std::string rule;
  wire::RuleKind kind = wire::RuleKind::Direct;
};

struct PermittedBoxes {
  std::vector<PermittedBox> boxes;  // sorted by ends, then protocol and ports
  bool more = false;                // `limit` was reached
};

// Boxes whose ends match: an end as in Cell, "gateway" for the gateway anywhere, or a device's
// name; empty matches everything.
PermittedBoxes permitted(const wire::SnapshotView& snapshot, std::string_view from,
                         std::string_view to, std::size_t limit);

// Is this the name of an end that permitted() knows in this snapshot?
bool is_end(const wire::SnapshotView& snapshot, std::string_view name);

std::string to_json(const std::vector<Cell>& cells);
std::string to_json(const PermittedBoxes& boxes);

}  // namespace sallyport::prove
