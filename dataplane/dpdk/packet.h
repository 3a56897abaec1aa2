// Packet: the one owner of a frame in memory. A handle of pointer size over a DPDK buffer; it is
// moved, never copied, and gives the buffer back to its pool when it ends. The metadata that stages
// write travels in the buffer's private area, so handing a packet on costs one pointer.
//
// bytes() is the frame from its first byte, always one contiguous piece (pools are sized for whole
// frames; of a chained buffer only the first is kept, and the packet says so). Growing and
// shrinking at the front (VLAN tags) stays within the headroom.
//
// Thread: a packet belongs to one thread at a time; rings hand it over. Nothing here fails but
// alloc(), which is empty when the pool is exhausted.
#pragma once

#include <rte_mbuf.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>

#include "dataplane/headers.h"
#include "policy/base/bytes.h"
#include "policy/base/check.h"
#include "policy/base/drop_reasons.h"
#include "policy/base/units.h"

namespace sallyport::dataplane {

// Where a frame came in.
enum class Origin : std::uint8_t { kWire, kHostStack };

// What a driver could not hand up as it was on the wire; the parser drops such a frame by name.
enum class RxFault : std::uint8_t {
  kNone,
  kChained,  // longer than a buffer, hence than the MTU
  kTagLost,  // its VLAN tag is not in the bytes any more
};

// Notes that travel with a packet. Trivially destructible: a buffer's private area has no lifetime.
struct PacketMeta {
  Headers headers;
  // Written by rx (or the host stack's reader) and bind.
  PortSlot port = kNoPort;
  SegmentSlot segment = kNoSegment;
  DeviceSlot device = kNoDevice;   // the enrolled device that sent it
  std::uint32_t source_place = 0;  // decide::Ingress::place
  Origin origin = Origin::kWire;
  RxFault fault = RxFault::kNone;
  // Its headers were not written: what sent it on needed none (stages/open_flow.h).
  bool bare = false;
  // Bits of Stage (telemetry/stages.h): which stages have seen it, for traces.
  std::uint16_t stages = 0;
  // Of a datagram that leaves in pieces: how many IP bytes one may have. Of one made of fragments
  // that is what the largest had. Else 0.
  std::uint16_t largest_fragment = 0;
  std::uint64_t capture_number = 0;  // 0 = not captured (telemetry/capture.h)

  bool is_from_wire() const noexcept { return origin == Origin::kWire && fault == RxFault::kNone; }
};
inline constexpr std::uint16_t kPacketPrivateSize = 256;
static_assert(sizeof(PacketMeta) <= kPacketPrivateSize);
static_assert(std::is_trivially_destructible_v<PacketMeta>);

class Packet {
 public:
  constexpr Packet() noexcept = default;
  // Takes over a single-segment buffer with a private area of kPacketPrivateSize.
  explicit Packet(rte_mbuf* buffer) noexcept : buffer_(buffer) {}
  Packet(Packet&& other) noexcept : buffer_(std::exchange(other.buffer_, nullptr)) {}
  Packet& operator=(Packet&& other) noexcept {
    if (this != &other) {
      reset();
      buffer_ = std::exchange(other.buffer_, nullptr);
    }
    return *this;
  }
  ~Packet() { reset(); }

  explicit operator bool() const noexcept { return buffer_ != nullptr; }

  MutableBytes bytes() noexcept {
    return {rte_pktmbuf_mtod(buffer_, std::uint8_t*), rte_pktmbuf_data_len(buffer_)};
  }
  ConstBytes bytes() const noexcept {
    return {rte_pktmbuf_mtod(buffer_, const std::uint8_t*), rte_pktmbuf_data_len(buffer_)};
  }
  PacketMeta& meta() noexcept { return *static_cast<PacketMeta*>(rte_mbuf_to_priv(buffer_)); }
  const PacketMeta& meta() const noexcept {
    return *static_cast<const PacketMeta*>(rte_mbuf_to_priv(buffer_));
  }

  // Its metadata as of a frame that just came; its headers are the parser's to write.
  void arrived(RxFault fault) noexcept {
    static constexpr PacketMeta kFresh;
    constexpr std::size_t kNotes = offsetof(PacketMeta, port);
    std::memcpy(&meta().port, &kFresh.port, sizeof(PacketMeta) - kNotes);
    meta().fault = fault;
  }
  // Its headers and metadata will be needed soon.
  void prefetch() const noexcept {
    __builtin_prefetch(rte_pktmbuf_mtod(buffer_, const void*));
    __builtin_prefetch(rte_mbuf_to_priv(buffer_), 1);
  }

  // Makes the frame `size` bytes long; false (unchanged) if the buffer cannot hold it.
  bool resize(std::size_t size) noexcept {
    if (size > capacity()) return false;
    buffer_->data_len = static_cast<std::uint16_t>(size);
    buffer_->pkt_len = static_cast<std::uint32_t>(size);
    return true;
  }
  // The same where it does not get longer.
  void cut(std::uint16_t size) noexcept {
    if (size == buffer_->data_len) return;
    SALLYPORT_CHECK(size < buffer_->data_len);
    buffer_->data_len = size;
    buffer_->pkt_len = size;
  }
  // Moves the first byte so far, back if it is negative, into the headroom; false (unchanged) if
  // there is not so much of either.
  bool move_front(int by) noexcept {
    if (buffer_->data_off + by < 0 || by > buffer_->data_len) return false;
    buffer_->data_off = static_cast<std::uint16_t>(buffer_->data_off + by);
    buffer_->data_len = static_cast<std::uint16_t>(buffer_->data_len - by);
    buffer_->pkt_len = buffer_->data_len;
    return true;
  }
  // Longest frame that fits behind the present first byte.
  std::size_t capacity() const noexcept {
    return static_cast<std::size_t>(buffer_->buf_len - buffer_->data_off);
  }

  // Where its bytes are will be needed soon.
  void prefetch_buffer() const noexcept { __builtin_prefetch(buffer_); }
  // Gives the buffer up to a ring or a driver.
  rte_mbuf* release() noexcept { return std::exchange(buffer_, nullptr); }
  void reset() noexcept {
    if (buffer_ != nullptr) rte_pktmbuf_free(std::exchange(buffer_, nullptr));
  }

 private:
  rte_mbuf* buffer_ = nullptr;
};
static_assert(sizeof(Packet) == sizeof(void*));
static_assert(!std::is_copy_constructible_v<Packet> && !std::is_copy_assignable_v<Packet>);

// A burst that another core wrote is needed soon: its memory is asked for together.
inline void ask_for(std::span<const Packet> burst) noexcept {
  for (const Packet& packet : burst) packet.prefetch_buffer();
  for (const Packet& packet : burst) packet.prefetch();
}

// Packets that have ended, whose buffers go back to their pools together: a flood that is dropped
// pays for a burst, not for each. Its owner empties it once per poll, so that at most kRoom buffers
// are kept from their pools, and no longer than that.
class PacketBin {
 public:
  static constexpr std::size_t kRoom = 32;
  PacketBin() noexcept = default;
  PacketBin(const PacketBin&) = delete;
  PacketBin& operator=(const PacketBin&) = delete;
  ~PacketBin() { empty(); }

  void take(Packet&& packet) noexcept {
    if (used_ == kRoom) empty();
    gone_[used_++] = packet.release();
  }
  // As rte_pktmbuf_free_bulk() does, in a third of its instructions: a packet is one buffer.
  [[gnu::noinline]] void empty() noexcept {
    const std::span<rte_mbuf*> gone(gone_.data(), std::exchange(used_, 0));
    unsigned count = 0;
    rte_mempool* pool = nullptr;
    const auto put = [&] {
      if (count != 0)
        rte_mempool_put_bulk(pool, reinterpret_cast<void* const*>(gone.data()),
                             std::exchange(count, 0));
    };
    for (rte_mbuf* buffer : gone) {
      buffer = rte_pktmbuf_prefree_seg(buffer);
      if (buffer == nullptr) continue;
      if (buffer->pool != pool) [[unlikely]] {
        put();
        pool = buffer->pool;
      }
      gone.data()[count++] = buffer;
    }
    put();
  }

 private:
  std::array<rte_mbuf*, kRoom> gone_{};
  unsigned used_ = 0;
};

// Where packets come from. One per process; alloc() may be called by any thread.
class PacketPool {
 public:
  // `pool` is owned by DPDK and lives until the process ends.
  explicit PacketPool(rte_mempool* pool) noexcept : pool_(pool) {}
  // An empty frame with fresh metadata; false when exhausted.
  Packet alloc() noexcept {
    rte_mbuf* buffer = rte_pktmbuf_alloc(pool_);
    if (buffer == nullptr) return {};
    new (rte_mbuf_to_priv(buffer)) PacketMeta{};
    return Packet(buffer);
  }
  // As many of them as `out`, of empty packets, has room for, kMostAtOnce at most; or none, and
  // false. Their memory, which another core may have had last, is asked for together.
  static constexpr std::size_t kMostAtOnce = 32;
  bool alloc(std::span<Packet> out) noexcept {
    std::array<rte_mbuf*, kMostAtOnce> raw;
    SALLYPORT_CHECK(out.size() <= raw.size());
    const auto count = static_cast<unsigned>(out.size());
    if (rte_mempool_get_bulk(pool_, reinterpret_cast<void**>(raw.data()), count) != 0) return false;
    const std::span<rte_mbuf*> buffers(raw.data(), count);
    for (rte_mbuf* buffer : buffers) {
      __builtin_prefetch(buffer, 1);
      __builtin_prefetch(rte_mbuf_to_priv(buffer), 1);
    }
    for (std::size_t i = 0; i < count; ++i) {
      rte_pktmbuf_reset(buffers[i]);
      new (rte_mbuf_to_priv(buffers[i])) PacketMeta{};
      out[i] = Packet(buffers[i]);
    }
    return true;
  }
  // A frame with these bytes; empty when exhausted or when they do not fit.
  Packet copy_of(ConstBytes bytes) noexcept {
    Packet packet = alloc();
    if (!packet || !packet.resize(bytes.size())) return {};
    std::ranges::copy(bytes, packet.bytes().begin());
    return packet;
  }
  std::uint32_t free_count() const noexcept;
  std::uint32_t size() const noexcept { return pool_->size; }
  rte_mempool* raw() const noexcept { return pool_; }

 private:
  rte_mempool* pool_;
};

}  // namespace sallyport::dataplane
