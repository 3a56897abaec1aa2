#include "tests/perf/fastpath/document.h"

#include <fmt/format.h>

namespace sallyport::bench {
namespace {

constexpr const char* kHow =
    R"(One worker, fed by DPDK's `net_pcap` with `infinite_rx=1` and draining to `net_null`; the real pipeline on a real
snapshot; a process for each round. Frames have 64 bytes without FCS (IPv6 TCP: 74). Flows are opened before, by handshakes
through the same pipeline; a capture holds packets from the client, in random order. Min and max are of the rounds.

The machine is shared, and its speed changes by more than half within a minute: compare ratios, and those are of neighbours in
time. A peer plays right before or right after a round of ours (ours, peer, peer, ours), and what is given of it is the median of
the ratios of such pairs, not the ratio of the medians. What the gateway is compared with itself in (`full-table`, `snapshot-swap-*`,
`ipv6-to-ipv4`, `10000-conduits-to-10-*`, `two-workers-to-one`) runs in one process in turns of 10 to 50 milliseconds, A B, B A,
A B: each turn by the one beside it, each round the median of its pairs. A gateway's clock stands still while the other one has its
turn. The note says how many pairs there were and how far the middle half of them lies apart.

* `established-*`, `deny-*`: the same capture again and again. A flow's packets come one to a round of the capture.
* `new-flows*`: once through a capture in which every packet opens a flow of its own, from an empty table.
* `full-table`: once through a capture of 15 packets of 4,096 open flows to one that opens a flow, with a table whose every place is
  taken (by those flows, by flows silent for 200 s, by 16,384 half-open ones), and in turns with it once through with a table that
  has room: the first rate by the second. `full-table-new-flows`: how many of the flows that were opened came in.
* `snapshot-swap-*`: the capture while ten revisions a second come into force, in each of which another hundredth of the
  conduits means something else, for three times as long as other cases; by the rate of a gateway beside it that has no revisions. From
  one revision to the next there are nine turns, the first of which is the dearest: pairs are compared with those of the same
  place after a revision, and their medians added up by the time that they stand for. `-lost`: packets that did not come out meanwhile.
* `ipv6-to-ipv4`, `10000-conduits-to-10-*`: two of the cases above in one process, each with its capture and its gateway.
* `memory-per-flow`: what a table of 2^20 flows and the ports of NAPT44 take, divided by 2^20.
* `added-latency-50-load-*`: in one process, two pairs of DPDK's `net_ring` ports; the worker itself (`dataplane/app/worker.h`) on one core
  polls one port of each, and on another core a thread sends packets of 4,096 open flows into the first pair and receives them from the
  second. It sends one whenever its time has come by the TSC, at half of the rate that the worker manages when it is flooded (the
  median of three floods of 30 ms, asked anew in each fifth of a round, because the machine's speed changes), writes the TSC into the frame's end and reads it there when the frame is back. It has a stock of empty buffers, whose
  memory the worker wrote into last and which it would else wait for with each frame, and takes back some more than it sends, so that what is late does not stay late. In turns with the
  worker, on its core and on the same ports at the same rate, runs testpmd's io engine: `rte_eth_rx_burst` from one port, `rte_eth_tx_burst`
  to the other, both ways. `dpdk-testpmd` itself is a program of its own, and a ring within a process has no end outside it; so that loop
  stands for it, as `io-forward`. Turns are A B, B A, A B; each is 22 ms of traffic without a break, of which the last 20 count; whose turn it
  is not sleeps. A round's quantiles are those of all turns together. The sender's own core is taken from it, too, here a thousand times a second
  for 4 to 16 us: what was on its way then seems late, and what was due is sent as a burst. So its time is cut into slices of 0.25 ms, and one
  in which it came too late for packets (more than 32 were due at once) is forgotten whole with the one after it, beside the gateway and beside the loop alike, and
  more turns are played until both have a second of slices that count; a round that needs four times as many turns fails. A packet belongs to the slice in which
  it was sent, and whatever the worker's core does while the sender is there stays in the figure. A figure is the gateway's
  quantile less the loop's, in microseconds; quantiles are within 1.6 %. The target must hold for the slowest
  round of the gateway less the fastest of the loop, and a quantile is missed if more packets were lost than it leaves out.
  `-lost`: sent and not back 50 ms after the turn's last; and how many slices were forgotten.
* `two-workers-established`: two workers' threads (`dataplane/app/workers.h`) on two cores, each fed by a `net_pcap` and draining to a `net_null` of its
  own; the packets of `established-ipv4-64b-4k`, each read by its owner; what both carry together. `two-workers-to-one`: by what the first one
  carries in the turns in which the other one's port is silent.
* `idle-polled-*`: the same worker and ports without traffic: processor time of the worker's thread by time passed; then single packets, each
  after 28 to 38 ms without one, from just before it is sent until it is back; 500 in a round. The worker's pauses are as long as they get after half of
  that, and one that is woken sleeps from the first moment on, for 10 ms at a time.
  What the machine takes of it by itself is its peer `sleep-and-look`: a thread on the worker's core that sleeps as long as the worker's longest
  pause, again and again, and looks at a word in memory. It is asked in the middle of each pause between two packets, in the same way:
  written by the prober, which spins until the answer is there. Nothing is taken off for it. It has the worker's short slice (`dataplane/app/short_slice.h`).
* `idle-interrupt-*`: the same with ports whose RX interrupts wake the worker: DPDK's virtio driver on vhost-user sockets, whose other
  ends are ports of DPDK's vhost driver in the same process. The driver and what the worker does are those of a virtio NIC on PCI; the
  interrupt is an eventfd that the other end writes. Its peer `eventfd-wake` is a thread on the worker's core that is asleep in `epoll_wait` on an
  eventfd; from the `write` of the prober, between its packets, until the answer is in the memory that the prober spins on.
* `idle-two-workers-*`: the same ports, one read by each of two workers that sleep, on 64 open flows; the processor time is the busier one's. Each
  packet crosses once, to its owner or from its owner to the one with the port that it leaves by; the crossing wakes. Both are on
  one core, because the prober has the other: `eventfd-wake-twice` is a chain of two such threads there, of which the first wakes the second.
* `tap-*`: one TCP stream over IPv4 between a segment's host stack and a device, each a kernel's stack in a network namespace, with the real
  TAP thread, pipeline and worker between them; payload that arrived, after 0.3 s. The gateway's port is the device's card: a second TAP thread, which
  takes and gives frames of a wire and cuts and merges them for the device's kernel, as a card does. `tap-pump` is a thread that copies frames
  between two such TAPs, in the same process before it, with the same offloads: what the two stacks and the kernel's copies alone allow. Both
  stacks' work is in the system calls of the threads that move the frames, so it counts as theirs. Five threads share two cores, without hugepages.
* `displace-flow-1m`: cycles until a new flow stands in the place of the one that gives way in a full table of half-open ones.
* `find-*`, `classify-*`: cycles per lookup, ours in bursts of 32, beside `rte_hash` (one by one and in bulk) on the same keys and
  `rte_acl` on the same conduits; fewer is better. Ours also finds where both ends of a flow live, which `rte_acl` does not.
* `testpmd-io` is `dpdk-testpmd` in io mode on the same two devices: what reading and writing alone costs.
* `ovs-plain`, `ovs-conntrack`: Open vSwitch's userspace datapath on the same capture and devices, one PMD thread: one flow from port
  to port; and `ct(commit)` with the conduits as flows, established connections. It decrements no TTL and rewrites no MAC. Its packet
  pool has 65,536 buffers, so it cannot play a capture of a million packets.
* `nftables`: the kernel forwards between two veth pairs; conntrack, established; the conduits in one set. testpmd sends the capture
  from core 1 past the queueing discipline, core 0 receives and forwards; what comes out is counted.

Both are set against open flows alone. They and the ceiling play `established-*` and `deny-*` cases, which repeat their capture; what
a peer cannot play, its row says.

)";

std::string target(const Figure& f) {
  return f.target == 0 && !f.at_most ? "" : fmt::format("{:.2f}", f.target);
}

std::string peers(const Figure& f) {
  std::string out;
  for (const Peer& peer : f.peers)
    out += fmt::format("{}{} {:.2f}, {:.3f}", out.empty() ? "" : "; ", peer.name, peer.median,
                       peer.ratio);
  return out;
}

std::string one_line(std::string text) {
  for (char& c : text)
    if (c == '\n' || c == '|') c = ' ';
  return text;
}

}  // namespace

bool write_fastpath_report(const std::string& folder, const Occasion& occasion,
                           const std::vector<Figure>& figures) {
  std::string out = "# The fast path on one core\n\nWritten by the bench itself; do not edit.\n\n";
  out += fmt::format("* command: `{}`\n* commit: {}\n* machine: {}\n* date: {}\n\n",
                     occasion.command, occasion.commit, occasion.machine, occasion.date);
  out += kHow;
  out += "| case | unit | median | min | max | target | met | peers: median, ours by it | |\n";
  out += "|---|---|---|---|---|---|---|---|---|\n";
  for (const Figure& f : figures)
    out += fmt::format("| {} | {} | {:.2f} | {:.2f} | {:.2f} | {} | {} | {} | {} |\n", f.name,
                       f.unit, f.median, f.min, f.max, target(f), f.met ? "yes" : "**no**",
                       peers(f), one_line(f.note));
  return write_text(folder + "/fastpath.md", out);
}

}  // namespace sallyport::bench
