#include "dataplane/app/filter.h"

#include <fmt/format.h>

#include <algorithm>

namespace sallyport::dataplane {

Result<Filter> Filter::of(const std::vector<std::string>& words, const nlohmann::json& example) {
  Filter out;
  for (const std::string& word : words) {
    const std::size_t mark = word.find('=');
    std::string name = word.substr(0, mark);
    if (mark == std::string::npos || !example.contains(name)) {
      std::string names;
      for (const auto& [known, value] : example.items())
        names += (names.empty() ? "" : ", ") + known;
      return fail(
          ErrorKind::kUsage, "bad-filter",
          fmt::format("'{}' narrows nothing; write NAME=VALUE with one of {}", word, names));
    }
    out.wanted_.emplace_back(std::move(name), word.substr(mark + 1));
  }
  return out;
}

bool Filter::matches(const nlohmann::json& row) const {
  return std::ranges::all_of(wanted_, [&](const auto& one) {
    const auto found = row.find(one.first);
    if (found == row.end()) return false;
    return found->is_string() ? found->template get_ref<const std::string&>() == one.second
                              : found->dump() == one.second;
  });
}

}  // namespace sallyport::dataplane
