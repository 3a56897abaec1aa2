// Cycles per lookup of our flow table and classifier beside rte_hash and rte_acl, on the same keys
// and rules, in one process.
//
// Flow tables hold both directions of each flow; what is asked for are the clients' keys in random
// order, and the flow's record is read. The classifier is asked for the first packets of permitted
// flows; it also finds where both ends live, which rte_acl does not. And what it takes to open a
// flow in a table that is full of half-open ones, after lookups of fifteen others; no peer does
// that.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

inline constexpr const char* kLookups = "lookups";
inline constexpr auto kLookupNames =
    std::to_array({"find-flow-4k", "find-flow-1m", "displace-flow-1m", "classify-300-conduits",
                   "classify-10000-conduits"});
inline constexpr std::uint32_t kLookupsMemoryMb = 2048;

// In this process; prints lines that lookup_figures() reads. What main() returns.
int run_lookups(bool quick);
// Of what a child printed: a figure per case, in cycles, with its peers.
std::vector<Figure> lookup_figures(const std::string& printed);

}  // namespace sallyport::bench
