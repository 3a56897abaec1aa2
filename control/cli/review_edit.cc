#include "control/cli/review_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "control/config/load.h"
#include "control/config/tree.h"

namespace sallyport::control {
namespace {

auto refuse(std::string why) {
  return fail(ErrorKind::kInvalid, "cannot-edit",
              std::move(why) + "; put in by hand what `sallyctl review sign` prints");
}

const Node* value_of(const Node* mapping, std::string_view key) {
  if (mapping == nullptr || mapping->kind != NodeKind::kMapping) return nullptr;
  for (std::size_t i = 0; i < mapping->keys.size(); ++i)
    if (mapping->keys[i].first == key) return &mapping->items[i];
  return nullptr;
}

std::size_t offset_of(std::string_view text, model::Position at) {
  std::size_t begin = 0;
  for (std::uint32_t line = 1; line < at.line && begin < text.size(); ++line)
    begin = std::min(text.find('\n', begin), text.size() - 1) + 1;
  return std::min(begin + at.column - 1, text.size());
}

// Behind a quoted scalar that begins here.
std::optional<std::size_t> end_of_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (quote == '"' || at + 1 >= text.size() || text[at + 1] != quote) return at + 1;
      ++at;
    }
  }
  return std::nullopt;
}

// Behind a list in brackets that begins here.
std::optional<std::size_t> end_of_list(std::string_view text, std::size_t at) {
  std::size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      const auto end = end_of_quoted(text, at);
      if (!end) return std::nullopt;
      at = *end;
      continue;
    }
    if (c == '#') at = std::min(text.find('\n', at), text.size() - 1);
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && --depth == 0) return at + 1;
    ++at;
  }
  return std::nullopt;
}

std::string list_text(const std::vector<model::Signature>& signatures) {
  std::string out = "[";
  for (const model::Signature& one : signatures)
    out += fmt::format("{} {{ by: {}, signature: \"{}\" }}", out.size() == 1 ? "" : ",", one.by,
                       one.signature);
  return out + " ]";
}

// One mapping of the text, to which keys are set.
class Mapping {
 public:
  Mapping(std::string_view text, const Node& node) : text_(text), node_(node) {}

  // `value` as YAML: a quoted scalar or a list in brackets.
  Result<void> set(std::string_view key, const std::string& value) {
    const Node* old = value_of(&node_, key);
    if (old == nullptr) {
      added_.push_back(fmt::format("{}: {}", key, value));
      return {};
    }
    const std::size_t begin = offset_of(text_, old->at);
    std::optional<std::size_t> end;
    if (begin < text_.size() && text_[begin] == '[') end = end_of_list(text_, begin);
    if (begin < text_.size() && (text_[begin] == '"' || text_[begin] == '\''))
      end = end_of_quoted(text_, begin);
    if (!end) return refuse(fmt::format("'{}' is not written in brackets or quotes", key));
    replaced_.push_back({begin, *end, value});
    return {};
  }

  std::string result() {
    std::string out(text_);
    insert_added();
    std::ranges::sort(replaced_, std::greater<>(), &Piece::begin);
    for (const Piece& piece : replaced_)
      out.replace(piece.begin, piece.end - piece.begin, piece.text);
    return out;
  }

 private:
  struct Piece {
    std::size_t begin;
    std::size_t end;
    std::string text;
  };

  // Before the first key, in the mapping's own notation.
  void insert_added() {
    const std::size_t begin = offset_of(text_, node_.at);
    if (added_.empty() || begin >= text_.size()) return;
    const bool flow = text_[begin] == '{';
    std::string text;
    for (const std::string& one : added_)
      text += flow ? " " + one + "," : one + "\n" + std::string(node_.at.column - 1, ' ');
    const std::size_t at = flow ? begin + 1 : begin;
    replaced_.push_back({at, at, text});
  }

  std::string_view text_;
  const Node& node_;
  std::vector<Piece> replaced_;
  std::vector<std::string> added_;
};

Result<Node> tree_of(std::string_view text) {
  Problems problems;
  auto tree = parse_tree(text, problems);
  if (!tree || !problems.empty()) return refuse("the text has mistakes");
  return *std::move(tree);
}

bool holds(const std::vector<model::Signature>& list, const model::Signature& wanted) {
  return std::ranges::any_of(list, [&](const model::Signature& one) {
    return one.by == wanted.by && one.signature == wanted.signature;
  });
}

void replace(std::vector<model::Signature>& list, const model::Signature& signature) {
  std::erase_if(list, [&](const model::Signature& one) { return one.by == signature.by; });
  list.push_back(signature);
}

}  // namespace

std::string signatures_line(const std::vector<model::Signature>& signatures) {
  return "signatures: " + list_text(signatures);
}

Result<std::string> put_review_signature(std::string_view text, std::string_view conduit,
                                         const std::string& signed_text,
                                         const model::Signature& signature) {
  SALLYPORT_TRY(const Node tree, tree_of(text));
  const Node* review = value_of(value_of(value_of(&tree, "conduits"), conduit), "review");
  const auto before = load_config(text);
  if (!before || review == nullptr || review->kind != NodeKind::kMapping)
    return refuse(fmt::format("conduit {} has no review", conduit));
  const auto found = std::ranges::find(before->conduits, conduit, &model::Conduit::name);
  std::vector<model::Signature> list;
  if (found->review->signed_text == signed_text) list = found->review->signatures;
  replace(list, signature);
  Mapping mapping(text, *review);
  SALLYPORT_TRY_VOID(mapping.set("signed", "\"" + signed_text + "\""));
  SALLYPORT_TRY_VOID(mapping.set("signatures", list_text(list)));
  std::string out = mapping.result();
  const auto after = load_config(out);
  if (!after) return refuse("the text would have mistakes");
  const auto signed_now = std::ranges::find(after->conduits, conduit, &model::Conduit::name);
  if (after->conduits.size() != before->conduits.size() || signed_now == after->conduits.end() ||
      !signed_now->review || signed_now->review->signed_text != signed_text ||
      !holds(signed_now->review->signatures, signature))
    return refuse("the text would not say what was signed");
  return out;
}

Result<std::string> put_rules_signature(std::string_view text, std::vector<model::Signature> keep,
                                        const model::Signature& signature) {
  SALLYPORT_TRY(const Node tree, tree_of(text));
  const Node* review = value_of(value_of(&tree, "control"), "review");
  if (review == nullptr || review->kind != NodeKind::kMapping)
    return refuse("the text has no control.review");
  replace(keep, signature);
  Mapping mapping(text, *review);
  SALLYPORT_TRY_VOID(mapping.set("signatures", list_text(keep)));
  std::string out = mapping.result();
  const auto after = load_config(out);
  if (!after || !holds(after->review_rules.signatures, signature))
    return refuse("the text would not say what was signed");
  return out;
}

}  // namespace sallyport::control
