#include "tests/perf/fastpath/instructions.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/perf/fastpath/stages.h"

namespace sallyport::bench {

Result<Instructions> read_instructions(const std::string& path) {
  std::ifstream in(path);
  const auto json = nlohmann::json::parse(in, nullptr, false);
  Instructions out;
  if (json.is_object())
    for (const auto& [name, value] : json.items())
      if (value.is_number()) out.emplace(name, value.get<double>());
  if (out.empty() || out.size() != json.size())
    return fail(ErrorKind::kInvalid, "instructions-file",
                path + " is no JSON object of numbers; write one with --write-instructions");
  return out;
}

bool write_instructions(const std::string& path, const Instructions& counted) {
  nlohmann::json json = nlohmann::json::object();
  for (const auto& [name, value] : counted) json[name] = std::round(value * 10) / 10;
  std::ofstream out(path);
  out << json.dump(2) << '\n';
  return out.flush().good();
}

std::vector<std::string> grown(const Instructions& baseline, const Instructions& counted) {
  std::vector<std::string> out;
  for (const auto& [name, value] : counted) {
    const auto before = baseline.find(name);
    if (before == baseline.end())
      out.push_back(fmt::format("{}: {:.1f} instructions a packet, and no baseline", name, value));
    else if (value > before->second * (1 + kMayGrow))
      out.push_back(fmt::format("{}: {:.1f} instructions a packet, {:+.1f} % of its {:.1f}", name,
                                value, (value / before->second - 1) * 100, before->second));
  }
  for (const auto& [name, value] : baseline)
    if (!counted.contains(name)) out.push_back(name + ": has a baseline and was not counted");
  return out;
}

std::vector<std::string> dearer_for_two(const Instructions& counted) {
  std::vector<std::string> out;
  for (const auto& [name, value] : counted) {
    if (!name.ends_with(kTwoWorkers)) continue;
    const std::string alone = name.substr(0, name.size() - std::strlen(kTwoWorkers)) + kWhole;
    const auto one = counted.find(alone);
    if (one == counted.end())
      out.push_back(name + ": one worker was not counted");
    else if (value > one->second * (1 + kMayGrow))
      out.push_back(
          fmt::format("{}: {:.1f} instructions a packet, {:+.1f} % of one worker's {:.1f}", name,
                      value, (value / one->second - 1) * 100, one->second));
  }
  return out;
}

}  // namespace sallyport::bench
