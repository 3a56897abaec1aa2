// Open vSwitch's userspace datapath on the same capture: its own ovsdb-server and ovs-vswitchd in a
// folder, one PMD thread on core 1, net_pcap in and net_null out. As plain forwarder, and with
// ct(commit): the plant's conduits as flows, the flows of the capture opened first by a port
// that then goes.
//
// It neither decrements the TTL nor rewrites addresses, and its packet pool has 65,536 buffers,
// which bounds the captures that it can play.
#pragma once

#include <string>

#include "policy/base/result.h"
#include "tests/perf/fastpath/contenders.h"

namespace sallyport::bench {

std::string openvswitch_obstacle(const TrafficCase& traffic);
Result<double> play_openvswitch_plain(const Match& match);
Result<double> play_openvswitch_conntrack(const Match& match);

}  // namespace sallyport::bench
