#include "policy/prove/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "policy/prove/permitted.h"

namespace sallyport::prove {
namespace {

bool is_of(std::string_view filter, std::string_view end) {
  return filter.empty() || end == filter || (filter == "gateway" && end.starts_with("gateway:"));
}

}  // namespace

Result<std::string> report(const wire::SnapshotView& snapshot, const Proof& proof,
                           std::string_view from, std::string_view to) {
  for (const std::string_view end : {from, to})
    if (!end.empty() && !is_end(snapshot, end))
      return fail(ErrorKind::kUsage, "bad-question",
                  fmt::format("there is no '{}' in force; write a segment, a device, gateway, "
                              "gateway:SEGMENT, virtual or name:DNS-NAME",
                              end));
  auto out = nlohmann::ordered_json::parse(to_json(proof));
  std::vector<Cell> cells = matrix(snapshot);
  // A device is no row of a matrix of segments: then there are only its boxes.
  std::erase_if(cells, [&](const Cell& c) { return !is_of(from, c.from) || !is_of(to, c.to); });
  out["matrix"] = nlohmann::ordered_json::parse(to_json(cells));
  if (!from.empty() || !to.empty())
    out["permitted"] =
        nlohmann::ordered_json::parse(to_json(permitted(snapshot, from, to, kMaxListedBoxes)));
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace sallyport::prove
