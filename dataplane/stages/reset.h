// A TCP reset as its receiver's peer would have sent it (RFC 9293 §3.10.7.1): in answer to a
// segment that belongs to no connection any more.
#pragma once

#include "dataplane/dpdk/packet.h"

namespace sallyport::dataplane {

// Empty when `segment` carries no ACK (nothing to take a sequence number from) or the pool is
// exhausted. Untagged frame; link addresses swapped.
Packet make_reset(PacketPool& pool, const Packet& segment) noexcept;

}  // namespace sallyport::dataplane
