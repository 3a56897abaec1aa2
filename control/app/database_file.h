// The database's file, before ovsdb-server serves it: made if it is absent, brought to this
// program's schema if it is older, and looked at for damage. What ovsdb-server would do with a
// damaged file is to cut it off at the damage at its first write, without a word; here it is kept
// and told of first (docs/design/0006-revisions.md, docs/guide/recover.md).
//
// Blocking, runs ovsdb-tool; for `sallyport-control --create-database`, which a launcher runs
// before ovsdb-server. Nothing is written when nothing must be: a full disk does not keep the
// gateway down. Failures: Error{kSystem} "database-file" with what to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/result.h"

namespace sallyport::control {

// Below `folder`: gateway.db, gateway.ovsschema, damaged files, and control's own folder `control`
// with what it must be told of.
Result<void> prepare_database(const std::string& folder, std::string_view schema,
                              std::int64_t now_s);

// What was mended since this was last asked, in words; the note is then gone.
std::vector<std::string> take_mended(const std::string& control_folder);

}  // namespace sallyport::control
