// YAML text as a small bounded tree with positions. The grammar is yaml-cpp's; what the tree may
// look like is ours: one document, no anchors and aliases (so no bombs), no tags, no duplicate
// keys, keys are plain words.
//
// Valid input: any bytes. Failures: problems are added. A tree is returned when the text could be
// read to its end, even if a key in it was refused, so that all mistakes of a file are found in one
// go; else nothing.
// Ownership: plain values. Thread: no sharing; nothing is thrown across this border.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/config/problems.h"
#include "policy/model/model.h"

namespace sallyport::control {

// Ten thousand conduits with their reviews are three million bytes and a third of a million values.
inline constexpr std::size_t kMaxConfigSize = std::size_t{4} << 20;
inline constexpr std::size_t kMaxConfigNodes = 600'000;
inline constexpr std::size_t kMaxConfigDepth = 16;

enum class NodeKind { kNull, kScalar, kSequence, kMapping };

struct Node {
  NodeKind kind = NodeKind::kNull;
  std::string text;                                           // scalars, as written without quotes
  std::vector<Node> items;                                    // sequences; values of mappings
  std::vector<std::pair<std::string, model::Position>> keys;  // mappings: one per item
  model::Position at;
};

std::optional<Node> parse_tree(std::string_view text, Problems& problems);

}  // namespace sallyport::control
