// First stage: are the parts of the configuration well formed and do they name each other? Names,
// ports, segments, devices; conduits are the planner's (plan.h).
#pragma once

#include <map>
#include <optional>
#include <string_view>

#include "policy/compile/report.h"
#include "policy/model/model.h"

namespace sallyport::compile {

// Positions in the model's vectors by name; the first of two equal names wins (the second is an
// error already).
struct Directory {
  std::map<std::string_view, std::size_t> ports;
  std::map<std::string_view, std::size_t> segments;
  std::map<std::string_view, std::size_t> devices;
};

// The result borrows the gateway's strings.
Directory check_parts(const model::Gateway& gateway, Report& report);

template <class Map>
std::optional<std::size_t> find(const Map& map, std::string_view name) {
  const auto at = map.find(name);
  return at == map.end() ? std::nullopt : std::optional<std::size_t>(at->second);
}

// "Did you mean ...?" when a known name is close, else a list of the known ones (shortened).
std::string suggest(const std::map<std::string_view, std::size_t>& known, std::string_view wrong);

}  // namespace sallyport::compile
