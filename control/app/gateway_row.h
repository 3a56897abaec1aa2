// The one row of table Gateway: which revision is in force, which is on its way, and the head of
// the chain. Whoever changes one of these puts the row into the same transaction as the revision.
//
// Thread: the loop's.
#pragma once

#include <cstdint>
#include <string>

#include "control/app/file_watch.h"
#include "control/app/parts.h"

namespace sallyport::control {

class GatewayRow {
 public:
  GatewayRow(const Parts& parts, const FileWatch& file) : parts_(parts), file_(file) {}

  std::string text() const {
    return row_text({{"name", kKey},
                     {"cur_cfg", current},
                     {"next_cfg", next},
                     {"rows_cfg", rows},
                     {"head", parts_.history.head()},
                     {"file_state", to_string(file_.state())},
                     {"version", parts_.settings.version}});
  }
  Database::Change change() const { return {"Gateway", kKey, text()}; }

  static constexpr const char* kKey = "gateway";
  std::uint64_t current = 0;  // in force everywhere, or being brought back there after a start
  std::uint64_t next = 0;     // on its way; else the same
  std::uint64_t rows = 0;     // which one the derived tables describe

 private:
  const Parts& parts_;
  const FileWatch& file_;
};

}  // namespace sallyport::control
