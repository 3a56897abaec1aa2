#include "control/app/publisher.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "control/app/commands.h"
#include "control/app/commits.h"
#include "control/app/derived.h"
#include "control/app/file_watch.h"

namespace sallyport::control {
namespace {

constexpr std::string_view kPrefix = "dnsmasq-";
constexpr std::string_view kSuffix = ".conf";

// Replaces the file in one step; readers see the old or the new one.
bool write_file(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  {
    std::ofstream file(fresh, std::ios::trunc);
    file << text;
    file.flush();
    if (!file) return false;
  }
  std::error_code error;
  std::filesystem::rename(fresh, path, error);
  return !error;
}

}  // namespace

std::string Publisher::snapshot_path(const Settings& settings) {
  return settings.run_dir + "/control/snapshot";
}

void Publisher::run() {
  const TargetPtr target = parts_.reconciler.in_force();
  const std::uint64_t current = target ? target->revision : 0;
  parts_.database.set("Gateway", "gateway",
                      {{"name", "gateway"},
                       {"cur_cfg", current},
                       {"next_cfg", commits_.reconciling() ? commits_.next() : current},
                       {"file_state", to_string(file_.state())},
                       {"version", parts_.settings.version}});
  for (const nlohmann::json& process : processes_json(parts_))
    parts_.database.set("Process", process["name"], process);
  if (target == shown_) return;
  shown_ = target;
  Rows revisions;
  for (const auto& [number, revision] : parts_.history.all())
    revisions[std::to_string(number)] = History::to_row(revision);
  parts_.database.replace("Revision", revisions);
  if (const auto view = target ? target->view() : Result<wire::SnapshotView>(fail({}))) {
    for (const auto& [table, rows] : derived_tables(*view)) parts_.database.replace(table, rows);
    write_services();
  }
}

void Publisher::write_services() {
  const auto view = shown_->view();
  if (!view) return;
  const std::string folder = parts_.settings.run_dir + "/control/";
  const auto bytes = shown_->mapping.bytes();
  write_file(snapshot_path(parts_.settings),
             std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  const auto configs = dnsmasq_configs(*view);
  for (const auto& [segment, text] : configs) {
    const std::string path = fmt::format("{}{}{}{}", folder, kPrefix, segment, kSuffix);
    if (!write_file(path, text)) parts_.alert("service-file-failed", "cannot write " + path);
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    if (!configs.contains(
            name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size())))
      std::filesystem::remove(entry.path(), error);
  }
}

}  // namespace sallyport::control
