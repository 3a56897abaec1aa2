// name=value words that narrow a table of rows: the names are the fields of the rows, so what can
// be asked for is what --json shows.
//
// Valid input: any words; `example` is a row with every field. Failures: kUsage "bad-filter" that
// says what there is. Pure. Thread: none shared.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "policy/base/result.h"

namespace sallyport::dataplane {

class Filter {
 public:
  static Result<Filter> of(const std::vector<std::string>& words, const nlohmann::json& example);
  // Texts are equal to the letter, numbers as they are written.
  bool matches(const nlohmann::json& row) const;

 private:
  std::vector<std::pair<std::string, std::string>> wanted_;
};

}  // namespace sallyport::dataplane
