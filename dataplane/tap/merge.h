// Merging what goes into a host stack: segments of one TCP flow that follow each other become one
// large one, which the stack takes in at the cost of one. The reverse of what HostFrame does.
//
// Only what can be cut into the same packets again is merged, by the rules of Linux's GRO
// (net/ipv4/tcp_offload.c): the next sequence number, no more payload than the first, and the same
// in every other field but lengths, sums and an IPv4 identifier that counts up or stands still.
// PSH, FIN and a short segment end a merge; CWR begins one; SYN, RST, URG, no payload and IP
// options have no part in it. Each segment's TCP sum is checked before it is merged, because the
// stack is told that it need not: what has a wrong one is written as it is, for the stack to
// refuse.
//
// Packets of one flow are written in the order in which they came; nothing is kept beyond flush().
// Their headers must be true of their bytes (PacketMeta). Thread: one; nothing is allocated.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/dpdk/packet.h"
#include "dataplane/tap/vnet_header.h"

namespace sallyport::dataplane {

// Packets that are written as one frame; a single one as it is.
struct Merged {
  // What 64 KiB of ordinary segments come to, and a third more.
  static constexpr std::size_t kMost = 64;
  std::array<Packet, kMost> packets;
  std::size_t count = 0;
  std::size_t payload = 0;  // bytes of TCP's
  bool same_id = false;     // the identifiers of an IPv4 flow stand still

  std::span<const Packet> all() const noexcept { return std::span(packets).first(count); }
};

// The first bytes of what several packets become, in place of each one's own.
struct MergedHead {
  // Ethernet, IPv6 and TCP with all the options that it can have.
  static constexpr std::size_t kMost = kEthernetSize + 40 + 60;
  VnetHeader header;
  std::array<std::uint8_t, kMost> space;
  std::size_t size = 0;  // of space; also where each packet's payload begins

  ConstBytes bytes() const noexcept { return ConstBytes(space).first(size); }
};
// `merged`: at least two.
MergedHead head_of(const Merged& merged) noexcept;
inline MutableBytes payload_of(Packet& packet) noexcept {
  const Headers& h = packet.meta().headers;
  return packet.bytes().subspan(h.payload, static_cast<std::size_t>(h.end - h.payload));
}

class MergedWriter {
 public:
  MergedWriter() = default;
  MergedWriter(const MergedWriter&) = delete;
  MergedWriter& operator=(const MergedWriter&) = delete;
  virtual ~MergedWriter() = default;
  // At least one packet.
  virtual void write(Merged& merged) noexcept = 0;
};

class Merger {
 public:
  // Flows that are merged at a time; of more, the one that waits longest is written.
  static constexpr std::size_t kFlows = 8;

  // Writes `packet`, or keeps it for what follows it.
  void add(Packet&& packet, MergedWriter& writer) noexcept;
  // Writes what was kept.
  void flush(MergedWriter& writer) noexcept;

 private:
  Merged* find(const Packet& packet) noexcept;
  Merged& free_place(MergedWriter& writer) noexcept;
  static void write(Merged& merged, MergedWriter& writer) noexcept;

  std::array<Merged, kFlows> flows_;  // count 0: free
  Merged alone_;                      // empty but while it is written
  std::size_t oldest_ = 0;
};

}  // namespace sallyport::dataplane
