#include "control/config/tree.h"

#include <fmt/format.h>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <set>
#include <streambuf>

namespace sallyport::control {
namespace {

// Thrown by the handler to leave yaml-cpp; caught in parse_tree().
struct Stop {};

model::Position position(const YAML::Mark& mark) {
  if (mark.is_null()) return {};
  return {static_cast<std::uint32_t>(mark.line + 1), static_cast<std::uint32_t>(mark.column + 1)};
}

// Builds the tree from yaml-cpp's events. A container that is being filled lives on `open_`.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(Problems& problems) : problems_(problems) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    Node node;
    node.at = position(mark);
    add(std::move(node));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems_.add(position(mark), "alias", "aliases (*name) are not allowed",
                  "the value itself, spelled out");
    throw Stop{};
  }
  void OnAnchor(const YAML::Mark& mark, const std::string&) override {
    problems_.add(position(mark), "anchor", "anchors (&name) are not allowed",
                  "the value itself, wherever it is needed");
    throw Stop{};
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    check_tag(mark, tag);
    Node node;
    node.kind = NodeKind::kScalar;
    node.text = value;
    node.at = position(mark);
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(NodeKind::kSequence, mark);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(NodeKind::kMapping, mark);
  }
  void OnMapEnd() override { close(); }

  std::optional<Node> take() { return std::move(root_); }

 private:
  struct Open {
    Node node;
    std::set<std::string, std::less<>> seen;
    std::optional<std::pair<std::string, model::Position>> key;  // read, its value not yet
    bool drop_value = false;                                     // of a refused key
  };

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    // yaml-cpp says "?" for plain and "!" for quoted scalars without a tag.
    if (tag.empty() || tag == "?" || tag == "!") return;
    problems_.add(position(mark), "tag", fmt::format("tag '{}' is not allowed", quote(tag)),
                  "the value without it");
  }
  void count(model::Position at) {
    if (++nodes_ <= kMaxConfigNodes) return;
    problems_.add(at, "too-many-values",
                  fmt::format("the file has more than {} values", kMaxConfigNodes),
                  "a smaller configuration");
    throw Stop{};
  }
  void open(NodeKind kind, const YAML::Mark& mark) {
    if (open_.size() >= kMaxConfigDepth) {
      problems_.add(position(mark), "too-deep",
                    fmt::format("values are nested deeper than {}", kMaxConfigDepth),
                    "a flatter value; nothing in a gateway's configuration is that deep");
      throw Stop{};
    }
    Open entry;
    entry.node.kind = kind;
    entry.node.at = position(mark);
    open_.push_back(std::move(entry));
  }
  void close() {
    Node node = std::move(open_.back().node);
    open_.pop_back();
    add(std::move(node));
  }
  void add(Node node) {
    count(node.at);
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == NodeKind::kSequence) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.drop_value) {
      parent.drop_value = false;
    } else if (!parent.key) {
      add_key(parent, node);
    } else {
      parent.node.keys.push_back(std::move(*parent.key));
      parent.key.reset();
      parent.node.items.push_back(std::move(node));
    }
  }
  void add_key(Open& parent, const Node& node) {
    if (node.kind != NodeKind::kScalar) {
      problems_.add(node.at, "bad-key", "a key is a list, a mapping or empty", "a plain word");
      parent.drop_value = true;
    } else if (!parent.seen.insert(node.text).second) {
      problems_.add(node.at, "duplicate-key",
                    fmt::format("'{}' is written twice in the same mapping", quote(node.text)),
                    "one of the two, or another name");
      parent.drop_value = true;
    } else {
      parent.key = {node.text, node.at};
    }
  }

  Problems& problems_;
  std::vector<Open> open_;
  std::optional<Node> root_;
  std::size_t nodes_ = 0;
};

// Notes only where a second document starts.
class SecondDocument final : public YAML::EventHandler {
 public:
  std::optional<model::Position> at;
  void OnDocumentStart(const YAML::Mark& mark) override { at = position(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark&, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark&, YAML::anchor_t) override {}
  void OnScalar(const YAML::Mark&, const std::string&, YAML::anchor_t,
                const std::string&) override {}
  void OnSequenceStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark&, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

// Bytes of the character that starts here, 0 if it is not well-formed (RFC 3629 §4).
std::size_t utf8_length(std::string_view rest) {
  const auto byte = [&](std::size_t i) {
    return i < rest.size() ? static_cast<unsigned char>(rest[i]) : 0U;
  };
  const auto tail = [&](std::size_t i) { return (byte(i) & 0xc0U) == 0x80U; };
  const unsigned first = byte(0);
  if (first >= 0xc2 && first <= 0xdf) return tail(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned least = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned most = first == 0xed ? 0x9f : 0xbf;
    return byte(1) >= least && byte(1) <= most && tail(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned least = first == 0xf0 ? 0x90 : 0x80;
    const unsigned most = first == 0xf4 ? 0x8f : 0xbf;
    return byte(1) >= least && byte(1) <= most && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

// Refuses what could deceive a reader of the text or a terminal before the grammar sees it.
bool check_bytes(std::string_view text, Problems& problems) {
  if (text.size() > kMaxConfigSize) {
    problems.add({}, "too-large", fmt::format("the file is larger than {} bytes", kMaxConfigSize),
                 "a smaller configuration");
    return false;
  }
  model::Position at{1, 1};
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t' && c != '\r') || byte == 0x7f) {
      problems.add(at, "control-byte",
                   fmt::format("the file holds the control byte 0x{:02x}", byte),
                   "plain text (UTF-8)");
      return false;
    }
    if (byte >= 0x80) {
      const std::size_t length = utf8_length(text.substr(i));
      if (length == 0) {
        problems.add(at, "not-utf8", fmt::format("the byte 0x{:02x} is not UTF-8", byte),
                     "plain text (UTF-8)");
        return false;
      }
      i += length - 1;
    }
    ++at.column;
    if (c == '\n') at = {at.line + 1, 1};
  }
  return true;
}

// The text as a stream, without a copy.
class ViewBuffer final : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // setg() wants it so; nothing is ever written
    setg(begin, begin, begin + text.size());
  }
};

}  // namespace

std::optional<Node> parse_tree(std::string_view text, Problems& problems) {
  if (!check_bytes(text, problems)) return std::nullopt;
  Builder builder(problems);
  try {
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    SecondDocument extra;
    parser.HandleNextDocument(extra);
    if (extra.at) {
      problems.add(*extra.at, "second-document", "a second document starts here ('---')",
                   "one document");
      return std::nullopt;
    }
  } catch (const Stop&) {
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    problems.add(position(error.mark), "syntax", fmt::format("not YAML: {}", quote(error.msg)),
                 "a line that closes what is open, indented like its neighbours");
    return std::nullopt;
  } catch (const std::exception& error) {
    problems.add({}, "syntax", fmt::format("not YAML: {}", quote(error.what())), "plain YAML");
    return std::nullopt;
  }
  return builder.take();
}

}  // namespace sallyport::control
