// Every command of sallyctl that only reads, found by walking its command line: whoever adds a
// command either says here that it does more than read, or it is held to what all reads promise.
#pragma once

#include <string>
#include <vector>

namespace sallyport::testing {

// Words of each read, without --run-dir and --json. `file`: a configuration that is in force, for
// the reads that take one.
std::vector<std::vector<std::string>> sallyctl_reads(const std::string& file);

// Reads that need no running control.
bool reads_files_only(const std::vector<std::string>& words);

}  // namespace sallyport::testing
