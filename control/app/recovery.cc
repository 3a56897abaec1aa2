#include "control/app/recovery.h"

#include "control/app/synced_file.h"
#include "control/config/tree.h"

namespace sallyport::control {
namespace {

// A text whose every byte is escaped, and the rest of the row.
constexpr std::size_t kMaxFile = kMaxConfigSize * 6 + 65'536;
constexpr const char* kHead = "head";  // the row's own digest does not cover how it ended

}  // namespace

Result<std::optional<Revision>> read_recovery(const std::string& path) {
  const auto text = read_whole(path, kMaxFile);
  if (!text) return fail(text.error().kind, "recovery-damaged", text.error().context);
  if (!*text) return std::nullopt;
  const auto row = nlohmann::json::parse(**text, nullptr, false);
  auto revision = from_row(row);
  if (!revision || revision->state != RevisionState::kConfirmed || !row.contains(kHead) ||
      row[kHead] != head_of(*revision))
    return fail(ErrorKind::kInvalid, "recovery-damaged",
                path + " does not verify: it is damaged, or was changed");
  return revision;
}

Result<void> write_recovery(const std::string& path, const Revision& revision) {
  nlohmann::json row = to_row(revision);
  row[kHead] = head_of(revision);
  const auto written = write_synced(path, row.dump() + "\n");
  if (!written) return fail(written.error().kind, "recovery-not-written", written.error().context);
  return {};
}

}  // namespace sallyport::control
