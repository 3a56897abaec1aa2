#include "control/app/parts.h"

#include <algorithm>
#include <ctime>
#include <filesystem>

#include "policy/os/clock.h"

namespace sallyport::control {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int32_t kSecondsPerDay = 86'400;
// Before this the clock has never been set (2020-01-01): then no review is judged by it.
constexpr std::int64_t kPlausibleTime = 1'577'836'800;

}  // namespace

Parts::Parts(Settings given)
    : settings(std::move(given)),
      setup(settings.run_dir + "/setup/socket"),
      terminator("terminator", settings.run_dir + "/terminator/socket"),
      dataplane("dataplane", settings.run_dir + "/dataplane/socket"),
      database("unix:" + settings.run_dir + "/db/socket"),
      reconciler(setup, terminator, dataplane,
                 [this](const std::string& kind, const std::string& text) { alert(kind, text); }) {
  for (Sibling* sibling : {&terminator, &dataplane})
    sibling->on_event([this, sibling](const std::string& kind, const std::string& json) {
      events.add(now_s(), sibling->name(), kind, json);
    });
}

std::int64_t Parts::now_s() const {
  return settings.wall_clock ? settings.wall_clock() : os::wall_ns() / kNsPerSecond;
}

Millis Parts::boot_now() const {
  if (settings.boot_clock) return settings.boot_clock();
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::duration_cast<Millis>(std::chrono::seconds(now.tv_sec) +
                                            std::chrono::nanoseconds(now.tv_nsec));
}

std::optional<std::int32_t> Parts::clock_day() const {
  const std::int64_t now = now_s();
  if (now <= kPlausibleTime) return std::nullopt;
  return static_cast<std::int32_t>(now / kSecondsPerDay);
}

std::optional<std::int32_t> Parts::trusted_day() const {
  const TargetPtr target = reconciler.in_force();
  const bool trusted =
      (target && target->review_rules.clock_trusted) ||
      (settings.clock_synchronised ? settings.clock_synchronised() : os::clock_synchronised());
  return trusted ? clock_day() : std::nullopt;
}

std::optional<std::int32_t> Parts::today() const {
  return std::max(review_memory.day, trusted_day());
}

void Parts::alert(const std::string& kind, const std::string& detail) {
  events.add(now_s(), "control", kind, detail);
}

std::uint64_t Parts::revision_in_force() const {
  const TargetPtr target = reconciler.in_force();
  return target ? target->revision : 0;
}

TargetInput Parts::compile_input(std::uint64_t revision) const {
  TargetInput input;
  input.revision = revision;
  input.unit_id = settings.unit_id;
  input.config_name = std::filesystem::path(settings.config_path).filename().string();
  input.today = today();
  input.clock_day = clock_day();
  input.authorities = review_memory.authorities;
  if (const TargetPtr target = reconciler.in_force()) input.previous = target->slots;
  return input;
}

}  // namespace sallyport::control
