// Reading one mapping of the tree: every key is asked for by name, what nobody asked for is an
// unknown key, and every value is checked where it is read. Each reader returns nothing (or an
// empty list) after adding a problem, so that the caller goes on and finds the rest.
//
// Ownership: borrows the node and the problems, which must outlive it. Thread: no sharing.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/problems.h"
#include "control/config/tree.h"

namespace sallyport::control {

// One element's mapping, for instance of `devices: press4:`. `what` names it in messages: "device
// press4".
class Fields {
 public:
  // `known` are all keys that may stand here; unknown ones are reported at once. A node that is no
  // mapping is reported and read as an empty one.
  Fields(const Node& node, std::string what, std::initializer_list<std::string_view> known,
         Problems& problems);

  bool usable() const { return mapping_; }  // false: a problem was reported, skip the element
  const std::string& what() const { return what_; }
  model::Position at() const { return node_->at; }
  Problems& problems() { return *problems_; }

  const Node* find(std::string_view key) const;
  // As find(), but reports "missing" with the hint when there is none.
  const Node* require(std::string_view key, std::string_view hint);

  // Position of a key's value, or of the mapping.
  model::Position at(std::string_view key) const;

  std::optional<std::string> word(std::string_view key, bool required, std::string_view hint);
  std::optional<std::uint64_t> number(std::string_view key, std::uint64_t least,
                                      std::uint64_t greatest, std::string_view hint);
  std::optional<bool> yes_no(std::string_view key);
  // Index into `words` of the value; reports anything else.
  std::optional<std::size_t> choice(std::string_view key,
                                    std::initializer_list<std::string_view> words);
  // The items of a list; a single value counts as a list of one.
  std::vector<const Node*> list(std::string_view key);

 private:
  const Node* node_;
  std::string what_;
  Problems* problems_;
  bool mapping_ = true;
};

// A scalar's text, or a problem.
std::optional<std::string> scalar(const Node& node, std::string_view what, std::string_view hint,
                                  Problems& problems);
std::optional<std::uint64_t> parse_number(std::string_view text);

}  // namespace sallyport::control
