#include "tests/perf/fastpath/document.h"

#include <fmt/format.h>

namespace sallyport::bench {

bool write_fastpath_report(const std::string& folder, const Occasion& occasion,
                           const std::vector<Figure>& figures) {
  std::string out = "# The fast path on one core\n\nWritten by the bench itself; do not edit.\n\n";
  out += fmt::format("* command: `{}`\n* commit: {}\n* machine: {}\n* date: {}\n\n",
                     occasion.command, occasion.commit, occasion.machine, occasion.date);
  out +=
      "One worker, fed by DPDK's `net_pcap` with `infinite_rx=1` and draining to `net_null`; the "
      "real "
      "pipeline on a real\nsnapshot; a process for each round, the peers' between ours. Frames "
      "have 64 "
      "bytes without FCS (IPv6 TCP: 74). Flows are\nopened before by handshakes through the same "
      "pipeline; the capture holds one packet of each, from the client, in random\norder. "
      "`testpmd-io` "
      "is `dpdk-testpmd` in io mode on the same two devices: what reading and writing alone costs. "
      "The\n"
      "machine is shared: compare ratios.\n\n";
  out += "| case | Mpps, median | min | max | target | met | of testpmd-io | |\n";
  out += "|---|---|---|---|---|---|---|---|\n";
  for (const Figure& f : figures)
    out += fmt::format("| {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {} | {} | {} |\n", f.name,
                       f.median, f.min, f.max, f.target, f.met ? "yes" : "**no**",
                       f.peers.empty() ? "" : fmt::format("{:.3f}", f.peers.front().ratio), f.note);
  return write_text(folder + "/fastpath.md", out);
}

}  // namespace sallyport::bench
