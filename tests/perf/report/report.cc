#include "tests/perf/report/report.h"

#include <fmt/format.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

namespace sallyport::bench {

namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    const auto colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

// JSON knows no infinity.
nlohmann::ordered_json number(double x) {
  return std::isfinite(x) ? nlohmann::ordered_json(std::round(x * 1e6) / 1e6) : nullptr;
}

}  // namespace

Figure Figure::of(std::string name, std::string unit, std::vector<double> values, double target,
                  bool at_most) {
  std::ranges::sort(values);
  Figure out;
  out.name = std::move(name);
  out.unit = std::move(unit);
  out.min = values.front();
  out.max = values.back();
  out.median = values[values.size() / 2];
  out.target = target;
  out.at_most = at_most;
  out.met = at_most ? out.max <= target : out.min >= target;
  return out;
}

Occasion occasion(const std::string& bench, int argc, char** argv) {
  Occasion out;
  out.command = "./dev bench " + bench;
  for (int i = 1; i < argc; ++i) out.command += std::string(" ") + argv[i];
  const char* commit = std::getenv("SALLYPORT_COMMIT");
  out.commit = commit != nullptr ? commit : "unknown";
  utsname system{};
  uname(&system);
  const std::string release = system.release;
  const auto second_dot = release.find('.', release.find('.') + 1);
  out.machine =
      fmt::format("{}, Linux {}, {}, {} processors", system.machine, release.substr(0, second_dot),
                  processor(), std::thread::hardware_concurrency());
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  out.date = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", utc.tm_year + 1900, utc.tm_mon + 1,
                         utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec);
  return out;
}

bool write_text(const std::string& path, const std::string& text) {
  std::error_code ignored;  // the file that then cannot be opened says it
  std::filesystem::create_directories(std::filesystem::path(path).parent_path(), ignored);
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.flush();
  return file.good();
}

bool write_json(const std::string& path, const Occasion& occasion,
                const std::vector<Figure>& figures) {
  nlohmann::ordered_json document;
  document["command"] = occasion.command;
  document["commit"] = occasion.commit;
  document["machine"] = occasion.machine;
  document["date"] = occasion.date;
  document["cases"] = nlohmann::ordered_json::array();
  for (const Figure& f : figures) {
    nlohmann::ordered_json entry;
    entry["name"] = f.name;
    entry["unit"] = f.unit;
    entry["median"] = number(f.median);
    entry["min"] = number(f.min);
    entry["max"] = number(f.max);
    entry["target"] = number(f.target);
    entry["met"] = f.met;
    entry["peers"] = nlohmann::ordered_json::array();
    for (const Peer& p : f.peers) {
      nlohmann::ordered_json peer;
      peer["name"] = p.name;
      peer["median"] = number(p.median);
      peer["ratio"] = number(p.ratio);
      entry["peers"].push_back(peer);
    }
    entry["note"] = f.note;
    document["cases"].push_back(entry);
  }
  return write_text(path, document.dump(1) + "\n");
}

}  // namespace sallyport::bench
