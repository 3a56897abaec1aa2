#include "policy/model/diagnostic.h"

#include <fmt/format.h>

namespace sallyport::model {

std::string to_string(const Diagnostic& diagnostic, std::string_view file) {
  std::string out;
  if (!file.empty()) out = fmt::format("{}:", file);
  if (diagnostic.at.line != 0)
    out += fmt::format("{}:{}:", diagnostic.at.line, diagnostic.at.column);
  if (!out.empty()) out += ' ';
  out += fmt::format("{} ({})", diagnostic.message, diagnostic.code);
  if (!diagnostic.hint.empty()) out += fmt::format("\n  {}", diagnostic.hint);
  return out;
}

}  // namespace sallyport::model
