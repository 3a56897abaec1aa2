#include "dataplane/names/dynamic_names.h"

#include <algorithm>

#include "policy/base/hash.h"

namespace sallyport::dataplane {

std::uint64_t name_hash(std::string_view lower_case_name) noexcept {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (char c : lower_case_name) {
    hash ^= static_cast<std::uint8_t>(c);
    hash *= 0x100000001b3U;
  }
  return hash;
}

std::size_t DynamicNames::bucket(const IpAddress& address) noexcept {
  const auto [high, low] = address.words();
  return fold(high ^ 0x9e3779b97f4a7c15U, low ^ 0xff51afd7ed558ccdU) % kBuckets;
}

void DynamicNames::install(const IpAddress& address, std::uint64_t name,
                           std::uint32_t destination_class, std::uint32_t ttl_s,
                           Instant now) noexcept {
  if (destination_class == 0) return;
  const Duration life = std::min<Duration>(std::chrono::seconds(ttl_s), kLongestLife) + kGrace;
  Entry* place = nullptr;
  for (Entry& entry : buckets_[bucket(address)]) {
    const bool same =
        entry.destination_class != 0 && entry.address == address && entry.name == name;
    if (same) {
      entry.expires = std::max(entry.expires, now + life);
      entry.destination_class = destination_class;
      return;
    }
    const bool free = entry.destination_class == 0 || entry.expires <= now;
    const bool place_is_free =
        place != nullptr && (place->destination_class == 0 || place->expires <= now);
    if (place == nullptr || (!place_is_free && (free || entry.expires < place->expires)))
      place = &entry;
  }
  *place = Entry{address, name, now + life, destination_class};
  none_ = false;
}

std::size_t DynamicNames::size(Instant now) const noexcept {
  std::size_t count = 0;
  for (const auto& ways : buckets_) {
    count += static_cast<std::size_t>(std::ranges::count_if(ways, [now](const Entry& entry) {
      return entry.destination_class != 0 && entry.expires > now;
    }));
  }
  return count;
}

}  // namespace sallyport::dataplane
