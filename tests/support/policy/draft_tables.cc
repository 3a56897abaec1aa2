#include "tests/support/policy/draft_tables.h"

#include <array>
#include <bit>

namespace sallyport::testing {

draft::Interval4& interval_of(Draft& draft, std::uint32_t device) {
  return first(draft.intervals4, [&](const auto& i) { return i.device() == device; });
}

draft::Interval4& interval_of_gateway(Draft& draft, std::uint16_t segment) {
  return first(draft.intervals4, [&](const auto& i) {
    return i.device() == wire::kGatewayHost && i.segment() == segment;
  });
}

draft::Interval4& after(Draft& draft, const draft::Interval4& interval) {
  return draft.intervals4.at(static_cast<std::size_t>(&interval - draft.intervals4.data()) + 1);
}

std::uint32_t classes_of(const Draft& draft) {
  return static_cast<std::uint32_t>(draft.intervals4.size() + draft.intervals6.size() +
                                    draft.names.size() + 1);
}

std::uint32_t first_rule(const Draft& draft, draft::RuleKind kind) {
  const auto at = std::find_if(draft.rules.begin(), draft.rules.end(), [&](const auto& rule) {
    return rule.valid() != 0 && rule.kind() == kind;
  });
  SALLYPORT_CHECK(at != draft.rules.end());
  return static_cast<std::uint32_t>(at - draft.rules.begin());
}

Key key_of(const draft::PairSlot& pair) {
  return {.source = static_cast<std::uint32_t>(pair.key() >> 40),
          .destination = static_cast<std::uint32_t>(pair.key() >> 16) & 0xffffffU,
          .protocol = static_cast<std::uint8_t>(pair.key())};
}

draft::PairSlot& add_pair(Draft& draft, Key key, const std::vector<draft::RangeRule>& list) {
  const auto at = static_cast<std::uint32_t>(draft.ranges.size());
  draft.ranges.insert(draft.ranges.end(), list.begin(), list.end());
  const std::uint64_t packed = wire::pair_key(key.source, key.destination, key.protocol);
  draft.pairs.emplace_back(packed, at, static_cast<std::uint32_t>(list.size()));
  hash_pairs(draft);
  return first(draft.pairs, [&](const auto& p) { return p.key() == packed; });
}

draft::PairSlot& occupied_pair(Draft& draft) {
  return first(draft.pairs, [](const auto& p) { return p.key() != 0; });
}

void hash_pairs(Draft& draft) {
  std::vector<draft::PairSlot> entries;
  for (const draft::PairSlot& p : draft.pairs)
    if (p.key() != 0) entries.push_back(p);
  std::vector<draft::PairSlot> out(std::bit_ceil(2 * entries.size()));
  for (const draft::PairSlot& p : entries) {
    std::size_t at = wire::pair_hash(p.key()) & (out.size() - 1);
    while (out[at].key() != 0) at = (at + 1) & (out.size() - 1);
    out[at] = p;
  }
  draft.pairs = std::move(out);
}

void hash_devices(Draft& draft, std::size_t size) {
  draft.bind_table.assign(size, draft::BindSlot(draft::Mac(), 0, wire::kNoDevice));
  for (std::uint32_t slot = 0; slot < draft.devices.size(); ++slot) {
    if (draft.devices[slot].valid() == 0) continue;
    std::array<std::uint8_t, 6> mac{};
    std::copy_n(draft.devices[slot].mac().bytes()->data(), mac.size(), mac.begin());
    std::size_t at = wire::mac_hash(mac) & (size - 1);
    while (draft.bind_table[at].device() != wire::kNoDevice) at = (at + 1) & (size - 1);
    draft.bind_table[at] = draft::BindSlot(draft.devices[slot].mac(), 0, slot);
  }
}

}  // namespace sallyport::testing
