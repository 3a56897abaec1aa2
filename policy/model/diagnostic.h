// What is wrong (or worth knowing) about a configuration, for the person who wrote it: where, what,
// and what to write instead. The loader (control/config) and the compiler both return lists of
// these; control prefixes the file's name.
//
// Pure values.
#pragma once

#include <string>
#include <vector>

#include "policy/model/model.h"

namespace sallyport::model {

struct Diagnostic {
  Position at;          // line 0: the whole configuration
  std::string code;     // stable, kebab-case: "conduit-overlap"
  std::string message;  // one sentence, lower case, no full stop; names both places of a conflict
  std::string hint;     // what to write instead; may be empty for a warning

  friend bool operator==(const Diagnostic&, const Diagnostic&) = default;
};

using Diagnostics = std::vector<Diagnostic>;

// "12:3: message (code)" and, on a second line, "  hint". `file` is put before it when not empty.
std::string to_string(const Diagnostic& diagnostic, std::string_view file = {});

}  // namespace sallyport::model
