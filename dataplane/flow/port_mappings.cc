#include "dataplane/flow/port_mappings.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <random>
#include <span>

#include "policy/base/check.h"
#include "policy/base/hash.h"

namespace sallyport::dataplane {
namespace {

std::size_t row(IpProtocol protocol) {
  switch (protocol) {
    case IpProtocol::kTcp:
      return 0;
    case IpProtocol::kUdp:
      return 1;
    default:
      return 2;
  }
}

}  // namespace

PortMappings::PortMappings(std::array<std::uint64_t, 2> secret, PortShare share,
                           std::uint16_t most_of_device)
    : share_(share),
      most_of_device_(most_of_device),
      secret_(secret),
      pools_(wire::kMaxNatUplinks * kProtocols),
      mappings_(pools_.size() * share.size()),
      chains_(std::bit_ceil(mappings_.size()), kNone),
      used_(wire::kMaxDevices + 1) {
  SALLYPORT_CHECK(share.first > 0 && share.first <= share.last);
  uplinks_.fill(kNoSegment);
  std::mt19937_64 shuffle(fold(secret[0] ^ 0x6e61707434340001U, secret[1] | 1));
  for (Pool& pool : pools_) {
    pool.ring.resize(share.size());
    std::iota(pool.ring.begin(), pool.ring.end(), share.first);
    std::ranges::shuffle(pool.ring, shuffle);
    pool.count = share.size();
  }
}

// An uplink that policy no longer has gives its place up with its last flow; the verifier bounds
// how many there are at once (policy/wire), so that none is left over only while a swap settles.
std::size_t PortMappings::pool_of(SegmentSlot uplink, IpProtocol protocol) const noexcept {
  const auto idle = [this](std::size_t place) {
    return std::ranges::all_of(std::span(pools_).subspan(place * kProtocols, kProtocols),
                               [this](const Pool& pool) { return pool.count == share_.size(); });
  };
  auto at = std::ranges::find(uplinks_, uplink);
  if (at == uplinks_.end()) at = std::ranges::find(uplinks_, kNoSegment);
  auto place = static_cast<std::size_t>(at - uplinks_.begin());
  if (at == uplinks_.end())
    for (place = 0; place < uplinks_.size() && !idle(place);) ++place;
  return place == uplinks_.size() ? pools_.size() : place * kProtocols + row(protocol);
}

std::uint32_t& PortMappings::chain(std::size_t pool, std::uint32_t address,
                                   std::uint16_t port) noexcept {
  const std::uint64_t endpoint = std::uint64_t{address} << 32 | std::uint64_t{port} << 16 | pool;
  return chains_[fold(endpoint ^ secret_[0], secret_[1] | 1) & (chains_.size() - 1)];
}

std::size_t PortMappings::row_of(DeviceSlot device) noexcept {
  return std::min<std::size_t>(device, wire::kMaxDevices);
}

std::optional<Drop> PortMappings::would_refuse(SegmentSlot uplink, IpProtocol protocol,
                                               DeviceSlot device) const noexcept {
  const std::size_t pool = pool_of(uplink, protocol);
  if (pool == pools_.size() || pools_[pool].count == 0) return Drop::kNatPortsExhausted;
  if (used_[row_of(device)] >= most_of_device_) return Drop::kNatDeviceLimit;
  return std::nullopt;
}

std::expected<std::uint16_t, Drop> PortMappings::take(const Flow& flow) noexcept {
  const std::size_t pool = pool_of(flow.at_server.segment(), flow.protocol);
  if (pool == pools_.size()) return std::unexpected(Drop::kNatPortsExhausted);
  const std::size_t base = pool * share_.size();
  const std::uint32_t address = flow.client.v4_value();
  std::uint32_t& first = chain(pool, address, flow.at_client.port);
  for (std::uint32_t at = first; at != kNone; at = mappings_[at].next) {
    Mapping& m = mappings_[at];
    if (m.address != address || m.port != flow.at_client.port || at / share_.size() != pool)
      continue;
    ++m.flows;
    return static_cast<std::uint16_t>(share_.first + (at - base));
  }
  if (const auto none =
          would_refuse(flow.at_server.segment(), flow.protocol, flow.at_client.device()))
    return std::unexpected(*none);
  Pool& free = pools_[pool];
  uplinks_[pool / kProtocols] = flow.at_server.segment();
  const std::uint16_t port = free.ring[free.head];
  free.head = free.head + 1 == share_.size() ? 0 : free.head + 1;
  --free.count;
  ++used_[row_of(flow.at_client.device())];
  ++size_;
  const auto at = static_cast<std::uint32_t>(base + port - share_.first);
  mappings_[at] = {1, address, flow.at_client.device(), first, flow.at_client.port};
  first = at;
  return port;
}

std::size_t PortMappings::bytes() const noexcept {
  std::size_t out = pools_.capacity() * sizeof(Pool) + mappings_.capacity() * sizeof(Mapping) +
                    chains_.capacity() * sizeof(chains_[0]) + used_.capacity() * sizeof(used_[0]);
  for (const Pool& pool : pools_) out += pool.ring.capacity() * sizeof(pool.ring[0]);
  return out;
}

void PortMappings::release(const Flow& flow) noexcept {
  const std::size_t pool = pool_of(flow.at_server.segment(), flow.protocol);
  const auto port = static_cast<std::uint16_t>(flow.stand_in_port);
  SALLYPORT_CHECK(pool < pools_.size() && port >= share_.first && port <= share_.last);
  const auto at = static_cast<std::uint32_t>(pool * share_.size() + port - share_.first);
  Mapping& m = mappings_[at];
  SALLYPORT_CHECK(m.flows > 0);
  if (--m.flows > 0) return;
  std::uint32_t* link = &chain(pool, m.address, m.port);
  while (*link != at) link = &mappings_[*link].next;
  *link = m.next;
  --used_[row_of(m.device)];
  --size_;
  Pool& free = pools_[pool];
  free.ring[(free.head + free.count) % share_.size()] = port;
  ++free.count;
}

}  // namespace sallyport::dataplane
