#include "control/app/boot.h"

#include <fmt/format.h>

#include <fstream>
#include <ranges>

#include "control/app/commits.h"
#include "control/app/derived.h"
#include "control/app/publisher.h"
#include "policy/os/log.h"

namespace sallyport::control {
namespace {

// The revision to use, and those that may have left traces in the host stacks.
constexpr std::size_t kMaxJobs = 3;

struct Job {
  std::string text;
  compile::CompileInput input;
};

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

std::vector<TargetPtr> compile_all(const std::vector<Job>& jobs, const compile::Slots& slots) {
  std::vector<TargetPtr> targets;
  for (const Job& job : jobs) {
    compile::CompileInput input = job.input;
    input.previous = slots;
    auto made = make_target(job.text, std::move(input));
    targets.push_back(made ? *made : nullptr);
  }
  return targets;
}

}  // namespace

void Boot::run() {
  if (loaded_ || !parts_.database.connected()) return;
  loaded_ = true;
  commits_.loaded();
  load();
  for (const char* table :
       {"Revision", "Gateway", "Port", "Segment", "Device", "Conduit", "Process"})
    parts_.database.manage(table);
  Rows revisions;
  for (const auto& [number, revision] : parts_.history.all())
    revisions[std::to_string(number)] = History::to_row(revision);
  parts_.database.replace("Revision", revisions);
}

void Boot::load() {
  for (const std::string& problem : parts_.history.load(parts_.database.read("Revision")))
    parts_.alert("revision-damaged", problem);
  std::vector<Job> jobs;
  const Revision* last = parts_.history.last_confirmed();
  if (last != nullptr) jobs.push_back({last->text, parts_.compile_input(last->number)});
  for (const auto& [number, revision] : std::views::reverse(parts_.history.all()))
    if (last != nullptr && number != last->number && jobs.size() < kMaxJobs)
      jobs.push_back({revision.text, parts_.compile_input(number)});
  discard_pending();
  parts_.beside.start(
      [jobs = std::move(jobs), kept = Publisher::snapshot_path(parts_.settings)] {
        return compile_all(jobs, slots_in_file(kept));
      },
      [this](const std::vector<TargetPtr>& targets) {
        commits_.set_ready();
        restore(targets);
      });
}

void Boot::discard_pending() {
  std::vector<std::uint64_t> pending;
  for (const auto& [number, revision] : parts_.history.all())
    if (!revision.confirmed) pending.push_back(number);
  for (const std::uint64_t number : pending) {
    parts_.alert("pending-revision-discarded",
                 fmt::format("revision {} was being brought into force when control ended; it is "
                             "discarded",
                             number));
    parts_.history.discard(number);
  }
}

void Boot::restore(const std::vector<TargetPtr>& targets) {
  if (targets.empty())
    return os::log::info(
        "no revision was ever confirmed: everything is denied until `config apply`");
  const Revision* last = parts_.history.last_confirmed();
  if (targets.front() == nullptr)
    return parts_.alert(
        "revision-unusable",
        fmt::format("revision {} no longer compiles; nothing is changed", last->number));
  std::vector<HostPlan> stale;
  for (const TargetPtr& target : targets | std::views::drop(1))
    if (target) stale.push_back(target->plan);
  os::log::info(fmt::format("revision {} of {} is to be in force", last->number, last->user));
  parts_.reconciler.restore(targets.front(), std::move(stale));
}

}  // namespace sallyport::control
