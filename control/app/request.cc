#include "control/app/request.h"

#include <string>

namespace sallyport::control {
namespace {

constexpr std::size_t kMaxOp = 32;
constexpr std::size_t kMaxDepth = 8;

// Depth of brackets outside strings: nlohmann's parser is iterative, its values' destructors are
// not.
bool too_deep(std::string_view text) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
    } else if (c == '"') {
      quoted = true;
    } else if (c == '{' || c == '[') {
      if (++depth > kMaxDepth) return true;
    } else if ((c == '}' || c == ']') && depth > 0) {
      --depth;
    }
  }
  return false;
}

}  // namespace

Result<nlohmann::json> parse_request(ConstBytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (too_deep(text)) return fail(ErrorKind::kInvalid, "bad-request", "the request is nested");
  auto body = nlohmann::json::parse(text, nullptr, false);
  if (!body.is_object()) return fail(ErrorKind::kInvalid, "bad-request", "it is no JSON object");
  const auto op = body.find("op");
  if (op == body.end() || !op->is_string() || op->get_ref<const std::string&>().size() > kMaxOp)
    return fail(ErrorKind::kInvalid, "bad-request", "it has no 'op'");
  return body;
}

}  // namespace sallyport::control
