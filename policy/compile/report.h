// Where the compiler's stages put what they find. Errors stop the revision, warnings travel with
// it.
#pragma once

#include <string>
#include <utility>

#include "policy/model/diagnostic.h"

namespace sallyport::compile {

class Report {
 public:
  void error(model::Position at, std::string code, std::string message, std::string hint) {
    errors_.push_back({at, std::move(code), std::move(message), std::move(hint)});
  }
  void warn(model::Position at, std::string code, std::string message, std::string hint = {}) {
    warnings_.push_back({at, std::move(code), std::move(message), std::move(hint)});
  }
  bool failed() const { return !errors_.empty(); }
  model::Diagnostics& errors() { return errors_; }
  model::Diagnostics& warnings() { return warnings_; }

 private:
  model::Diagnostics errors_;
  model::Diagnostics warnings_;
};

}  // namespace sallyport::compile
