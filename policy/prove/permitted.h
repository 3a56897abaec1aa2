// What the compiled tables permit, for reading: the matrix of segments, and the boxes between two
// ends. From the snapshot's bytes alone.
//
// Thread: none shared. Cannot fail.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "policy/wire/snapshot.h"

namespace sallyport::prove {

// Ends are segments by name, "gateway:<segment>" for the gateway's own addresses, "virtual" and
// "name:<dns name>".
struct Cell {
  std::string from;
  std::string to;
  std::vector<std::string> rules;  // names, sorted
};

// Non-empty cells, sorted.
std::vector<Cell> matrix(const wire::SnapshotView& snapshot);

struct PermittedBox {
  std::string from;  // end, as in Cell
  std::string to;
  std::string source;       // "10.20.0.5", "10.0.0.0-10.0.0.255"
  std::string destination;  // or a DNS name
  std::uint8_t protocol = 0;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 0;
  std::string rule;
  std::string kind;
};

struct PermittedBoxes {
  std::vector<PermittedBox> boxes;  // disjoint
  bool more = false;                // `limit` was reached
};

// Boxes whose ends match; empty strings match everything. A device's name matches its addresses.
PermittedBoxes permitted(const wire::SnapshotView& snapshot, const std::string& from,
                         const std::string& to, std::size_t limit);

std::string to_json(const std::vector<Cell>& cells);
std::string to_text(const std::vector<Cell>& cells);

}  // namespace sallyport::prove
