#include "control/config/fields.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

namespace sallyport::control {
namespace {

std::string_view describe(NodeKind kind) {
  switch (kind) {
    case NodeKind::kNull:
      return "nothing";
    case NodeKind::kScalar:
      return "a single value";
    case NodeKind::kSequence:
      return "a list";
    case NodeKind::kMapping:
      return "a mapping";
  }
  return "something else";
}

}  // namespace

Fields::Fields(const Node& node, std::string what, std::initializer_list<std::string_view> known,
               Problems& problems)
    : node_(&node), what_(std::move(what)), problems_(&problems) {
  if (node.kind != NodeKind::kMapping) {
    mapping_ = false;
    problems.add(node.at, "wrong-type",
                 fmt::format("{} is {}, not a mapping", what_, describe(node.kind)),
                 fmt::format("{{ {}: ... }}", fmt::join(known, ": ..., ")));
    return;
  }
  for (const auto& [key, at] : node.keys) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string_view meant = nearest(key, known.begin(), known.size());
    problems.add(
        at, "unknown-key", fmt::format("{} has no key '{}'", what_, quote(key)),
        meant.empty() ? fmt::format("one of {}", fmt::join(known, ", ")) : std::string(meant));
  }
}

const Node* Fields::find(std::string_view key) const {
  if (!mapping_) return nullptr;
  for (std::size_t i = 0; i < node_->keys.size(); ++i)
    if (node_->keys[i].first == key) return &node_->items[i];
  return nullptr;
}

const Node* Fields::require(std::string_view key, std::string_view hint) {
  const Node* node = find(key);
  if (node == nullptr && mapping_)
    problems_->add(node_->at, "missing-key", fmt::format("{} lacks '{}'", what_, key),
                   fmt::format("{}: {}", key, hint));
  return node;
}

model::Position Fields::at(std::string_view key) const {
  const Node* node = find(key);
  return node == nullptr ? node_->at : node->at;
}

std::optional<std::string> Fields::word(std::string_view key, bool required,
                                        std::string_view hint) {
  const Node* node = required ? require(key, hint) : find(key);
  if (node == nullptr) return std::nullopt;
  return scalar(*node, fmt::format("{}: '{}'", what_, key), hint, *problems_);
}

std::optional<std::uint64_t> Fields::number(std::string_view key, std::uint64_t least,
                                            std::uint64_t greatest, std::string_view hint) {
  const auto text = word(key, false, hint);
  if (!text) return std::nullopt;
  const auto value = parse_number(*text);
  if (value && *value >= least && *value <= greatest) return value;
  problems_->add(at(key), "bad-number",
                 fmt::format("{}: '{}' is '{}', not a whole number from {} to {}", what_, key,
                             quote(*text), least, greatest),
                 std::string(hint));
  return std::nullopt;
}

std::optional<bool> Fields::yes_no(std::string_view key) {
  const auto index = choice(key, {"true", "false"});
  if (!index) return std::nullopt;
  return *index == 0;
}

std::optional<std::size_t> Fields::choice(std::string_view key,
                                          std::initializer_list<std::string_view> words) {
  const auto text = word(key, false, *words.begin());
  if (!text) return std::nullopt;
  const auto* found = std::find(words.begin(), words.end(), *text);
  if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  problems_->add(at(key), "bad-word",
                 fmt::format("{}: '{}' cannot be '{}'", what_, key, quote(*text)),
                 fmt::format("{}", fmt::join(words, " or ")));
  return std::nullopt;
}

std::vector<const Node*> Fields::list(std::string_view key) {
  std::vector<const Node*> out;
  const Node* node = find(key);
  if (node == nullptr) return out;
  if (node->kind == NodeKind::kScalar) {
    out.push_back(node);
  } else if (node->kind == NodeKind::kSequence) {
    for (const Node& item : node->items) out.push_back(&item);
  } else {
    problems_->add(node->at, "wrong-type",
                   fmt::format("{}: '{}' is {}, not a list", what_, key, describe(node->kind)),
                   fmt::format("{}: [..., ...]", key));
  }
  return out;
}

std::optional<std::string> scalar(const Node& node, std::string_view what, std::string_view hint,
                                  Problems& problems) {
  if (node.kind == NodeKind::kScalar && !node.text.empty()) return node.text;
  problems.add(node.at, "wrong-type",
               fmt::format("{} is {}, not a single value", what,
                           node.kind == NodeKind::kScalar ? "empty" : describe(node.kind)),
               std::string(hint));
  return std::nullopt;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
  std::uint64_t value = 0;
  if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace sallyport::control
