#include "control/app/publisher.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "control/app/commands.h"
#include "control/app/derived.h"

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

Publisher::Made Publisher::make(const Target& target, const std::string& folder,
                                const std::string& snapshot) {
  Made out;
  const wire::SnapshotView& view = target.view();
  for (const auto& [table, rows] : derived_tables(view))
    for (const auto& [key, row] : rows) out.tables[table][key] = row_text(row);
  const auto bytes = target.mapping.bytes();
  if (!write_file(snapshot, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}))
    out.failed.push_back(snapshot);
  const auto configs = dnsmasq_configs(view);
  for (const auto& [segment, text] : configs) {
    const std::string path = fmt::format("{}{}{}{}", folder, kPrefix, segment, kSuffix);
    if (!write_file(path, text)) out.failed.push_back(path);
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    if (!configs.contains(
            name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size())))
      std::filesystem::remove(entry.path(), error);
  }
  return out;
}

void Publisher::made(const TargetPtr& target, const Made& result) {
  for (const std::string& path : result.failed)
    parts_.alert("file-not-written", "cannot write " + path);
  if (target != shown_) return;
  for (const auto& [table, rows] : result.tables) parts_.database.replace(table, rows);
  asked_ = target->revision;
}

void Publisher::run() {
  if (asked_ != gateway_.rows && parts_.database.connected() && parts_.database.settled())
    gateway_.rows = asked_;
  for (const nlohmann::json& process : processes_json(parts_))
    parts_.database.set("Process", process["name"], row_text(process));
  parts_.database.set("Gateway", GatewayRow::kKey, gateway_.text());
  const TargetPtr target = parts_.reconciler.in_force();
  if (target == shown_) return;
  shown_ = target;
  asked_ = gateway_.rows = 0;
  if (!target) return;
  parts_.beside.start(
      [target, folder = parts_.settings.run_dir + "/control/",
       snapshot = snapshot_path(parts_.settings)] { return make(*target, folder, snapshot); },
      [this, target](const Made& result) { made(target, result); });
}

}  // namespace sallyport::control
