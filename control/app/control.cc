#include "control/app/control.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "control/app/derived.h"
#include "control/config/load.h"
#include "control/config/tree.h"
#include "policy/os/clock.h"
#include "policy/os/log.h"

namespace sallyport::control {
namespace {

constexpr const char* kSnapshotFile = "/control/snapshot";
constexpr Millis kFileInterval{1000};
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int32_t kSecondsPerDay = 86'400;
// Before this the clock has never been set (2020-01-01): then no review is judged by it.
constexpr std::int64_t kPlausibleTime = 1'577'836'800;

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

std::optional<std::string> read_limited(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string text(kMaxConfigSize + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

// The slots of the snapshot that was in force when control last ran, while dataplane and terminator
// may have lived on: the same names must keep them. Nothing if there is none, or it is damaged.
compile::Slots slots_in_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = file ? static_cast<std::streamoff>(file.tellg()) : 0;
  if (size <= 0 || static_cast<std::size_t>(size) > wire::kMaxSnapshotSize) return {};
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(bytes.data()), size);
  const auto view = file ? wire::SnapshotView::verify(bytes) : Result<wire::SnapshotView>(fail({}));
  return view ? compile::slots_of(*view) : compile::Slots{};
}

std::string hex_sha256(std::string_view text) { return wire::to_hex(wire::sha256(text)); }

}  // namespace

Control::Control(Settings settings, os::UniqueFd listener, std::optional<gid_t> group)
    : settings_(std::move(settings)),
      setup_(settings_.run_dir + "/setup/socket"),
      terminator_("terminator", settings_.run_dir + "/terminator/socket"),
      dataplane_("dataplane", settings_.run_dir + "/dataplane/socket"),
      database_("unix:" + settings_.run_dir + "/db/socket"),
      reconciler_(setup_, terminator_, dataplane_,
                  [this](const std::string& kind, const std::string& text) {
                    events_.add(os::wall_ns() / kNsPerSecond, "control", kind, text);
                  }),
      server_(std::move(listener), group,
              [this](Request request, Responder responder) {
                handle(std::move(request), std::move(responder));
              }),
      appctl_(
          settings_.run_dir + "/control/appctl",
          [](void* self) { return static_cast<Control*>(self)->status().dump(2); }, this) {
  for (Sibling* sibling : {&terminator_, &dataplane_})
    sibling->on_event([this, sibling](const std::string& kind, const std::string& json) {
      events_.add(os::wall_ns() / kNsPerSecond, sibling->name(), kind, json);
    });
}

compile::CompileInput Control::compile_input(std::uint64_t revision) const {
  compile::CompileInput input;
  input.revision = revision;
  input.unit_id = settings_.unit_id;
  input.config_name = std::filesystem::path(settings_.config_path).filename().string();
  const std::int64_t now_s = os::wall_ns() / kNsPerSecond;
  if (now_s > kPlausibleTime) input.today = static_cast<std::int32_t>(now_s / kSecondsPerDay);
  if (const TargetPtr target = reconciler_.in_force()) input.previous = target->slots;
  return input;
}

void Control::load_history() {
  for (const std::string& problem : history_.load(database_.read("Revision")))
    events_.add(os::wall_ns() / kNsPerSecond, "control", "revision-damaged", problem);
  history_loaded_ = true;
  // Whatever was under way when control last ended may have left traces in the host stacks.
  struct Job {
    std::string text;
    compile::CompileInput input;
  };
  std::vector<Job> jobs;
  const Revision* last = history_.last_confirmed();
  if (last != nullptr) jobs.push_back({last->text, compile_input(last->number)});
  std::vector<std::uint64_t> pending;
  for (auto it = history_.all().rbegin(); it != history_.all().rend() && jobs.size() < 3; ++it)
    if (last != nullptr && it->first != last->number)
      jobs.push_back({it->second.text, compile_input(it->first)});
  for (const auto& [number, revision] : history_.all())
    if (!revision.confirmed) pending.push_back(number);
  for (const std::uint64_t number : pending) {
    events_.add(os::wall_ns() / kNsPerSecond, "control", "pending-revision-discarded",
                fmt::format("revision {} was being brought into force when control ended; it is "
                            "discarded",
                            number));
    history_.discard(number);
  }
  beside_.start(
      [jobs = std::move(jobs), kept = settings_.run_dir + kSnapshotFile] {
        std::vector<TargetPtr> targets;
        const compile::Slots slots = slots_in_file(kept);
        for (const Job& job : jobs) {
          compile::CompileInput input = job.input;
          input.previous = slots;
          auto made = make_target(job.text, input);
          targets.push_back(made ? *made : nullptr);
        }
        return targets;
      },
      [this](std::vector<TargetPtr> targets) { boot(std::move(targets)); });
}

void Control::boot(std::vector<TargetPtr> targets) {
  booted_ = true;
  if (targets.empty()) {
    os::log::info("no revision was ever confirmed: everything is denied until `config apply`");
    return;
  }
  const Revision* last = history_.last_confirmed();
  if (targets.front() == nullptr) {
    events_.add(os::wall_ns() / kNsPerSecond, "control", "revision-unusable",
                fmt::format("revision {} no longer compiles; nothing is changed", last->number));
    return;
  }
  std::vector<HostPlan> stale;
  for (std::size_t i = 1; i < targets.size(); ++i)
    if (targets[i]) stale.push_back(targets[i]->plan);
  os::log::info(fmt::format("revision {} of {} is to be in force", last->number, last->user));
  reconciler_.restore(targets.front(), std::move(stale));
}

void Control::note_foreign_writes() {
  for (const ForeignWrite& write : database_.take_foreign())
    events_.add(
        os::wall_ns() / kNsPerSecond, "control", "foreign-write",
        nlohmann::json{{"table", write.table}, {"row", write.key}, {"undone", true}}.dump());
}

// The operator's file: looked at, compared, never used by itself.
void Control::look_at_file() {
  struct stat info{};
  const std::string reference =
      reconciler_.in_force() ? hex_sha256(reconciler_.in_force()->text) : "";
  if (::stat(settings_.config_path.c_str(), &info) != 0) {
    file_state_ = FileState::kAbsent;
    file_stamp_.clear();
    return;
  }
  const std::string stamp = fmt::format("{}.{}.{}.{}", info.st_mtim.tv_sec, info.st_mtim.tv_nsec,
                                        info.st_size, info.st_ino);
  if (stamp == file_stamp_ && reference == file_reference_) return;
  const auto text = read_limited(settings_.config_path);
  if (!text) {
    file_state_ = FileState::kUnknown;
    return;
  }
  file_stamp_ = stamp;
  file_reference_ = reference;
  if (hex_sha256(*text) == reference) {
    file_state_ = FileState::kSame;
    return;
  }
  beside_.start([text = *text] { return load_config(text).has_value(); },
                [this, text = *text](bool loads) { file_judged(loads, text); });
}

void Control::file_judged(bool loads, const std::string& text) {
  const TargetPtr target = reconciler_.in_force();
  file_state_ = target && target->text == text ? FileState::kSame
                : loads                        ? FileState::kEdited
                                               : FileState::kInvalid;
}

const char* to_string(int file_state) {
  constexpr const char* kNames[] = {"unknown", "absent", "same", "edited", "invalid"};
  return kNames[file_state];
}

void Control::store_rows() {
  const TargetPtr target = reconciler_.in_force();
  const std::uint64_t current = target ? target->revision : 0;
  const bool under_way = applying_ && applying_->stage == Applying::Stage::kReconciling;
  database_.set("Gateway", "gateway",
                {{"name", "gateway"},
                 {"cur_cfg", current},
                 {"next_cfg", under_way ? applying_->number : current},
                 {"file_state", to_string(static_cast<int>(file_state_))},
                 {"version", settings_.version}});
  for (const nlohmann::json& process : processes())
    database_.set("Process", process["name"],
                  {{"name", process["name"]},
                   {"connected", process["connected"]},
                   {"revision", process["revision"]},
                   {"detail", process["detail"]}});
  if (target == shown_) return;
  shown_ = target;
  Rows revisions;
  for (const auto& [number, revision] : history_.all())
    revisions[std::to_string(number)] = History::to_row(revision);
  database_.replace("Revision", revisions);
  if (const auto view = target ? target->view() : Result<wire::SnapshotView>(fail({}))) {
    for (const auto& [table, rows] : derived_tables(*view)) database_.replace(table, rows);
    write_services();
  }
}

void Control::write_services() {
  const auto view = shown_->view();
  if (!view) return;
  const std::string folder = settings_.run_dir + "/control/";
  const auto bytes = shown_->mapping.bytes();
  write_file(settings_.run_dir + kSnapshotFile,
             std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  const auto configs = dnsmasq_configs(*view);
  for (const auto& [segment, text] : configs)
    if (!write_file(fmt::format("{}dnsmasq-{}.conf", folder, segment), text))
      events_.add(os::wall_ns() / kNsPerSecond, "control", "service-file-failed",
                  fmt::format("cannot write {}dnsmasq-{}.conf", folder, segment));
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("dnsmasq-") || !name.ends_with(".conf")) continue;
    if (!configs.contains(name.substr(8, name.size() - 13)))
      std::filesystem::remove(entry.path(), error);
  }
}

void Control::run() {
  const Millis now = Loop::now();
  setup_.run(now);
  terminator_.run(now);
  dataplane_.run(now);
  database_.run(now);
  if (!history_loaded_ && database_.connected()) {
    load_history();
    for (const char* table :
         {"Revision", "Gateway", "Port", "Segment", "Device", "Conduit", "Process"})
      database_.manage(table);
    Rows revisions;
    for (const auto& [number, revision] : history_.all())
      revisions[std::to_string(number)] = History::to_row(revision);
    database_.replace("Revision", revisions);
  }
  beside_.run();
  reconciler_.run(now);
  advance_apply();
  server_.run();
  note_foreign_writes();
  if (now >= look_at_file_at_) {
    look_at_file();
    look_at_file_at_ = now + kFileInterval;
  }
  if (booted_) store_rows();
  appctl_.run();
}

void Control::wait() const {
  const auto wait_link = [](const Link& link) {
    if (link.up())
      Loop::wake_on(link.fd(), true, link.wants_write());
    else
      Loop::wake_at(link.retry_at());
  };
  wait_link(setup_.link());
  wait_link(terminator_.link());
  wait_link(dataplane_.link());
  for (const auto& when : {setup_.deadline(), terminator_.deadline(), dataplane_.deadline(),
                           reconciler_.wake_at(), std::optional(look_at_file_at_)})
    if (when) Loop::wake_at(*when);
  if (applying_) Loop::wake_at(Loop::now() + Millis(50));
  Loop::wake_on(beside_.wake_fd(), true, false);
  database_.wait();
  server_.wait();
  appctl_.wait();
}

}  // namespace sallyport::control
