// What is judged by a packet's ends alone, before any table is asked: the parser, the pipeline and
// `explain` read it here, so that they cannot disagree.
//
// Valid inputs: anything. Pure; nothing here fails. Sources: RFC 6890 (special-purpose blocks),
// RFC 4038 §4.2 (mapped addresses), RFC 2131 and RFC 8415 §7.2 (ports).
#pragma once

#include <optional>

#include "policy/base/drop_reasons.h"
#include "policy/base/net.h"

namespace sallyport::decide {

// Blocks that are never a source or destination of a forwarded packet. An unspecified source is
// left to bind, which knows who may have no address yet. Of two versions: kIpVersion.
[[gnu::always_inline]] constexpr std::optional<Drop> implausible_addresses(
    const IpAddress& source, const IpAddress& destination) noexcept {
  if (source.is_v4() != destination.is_v4()) return Drop::kIpVersion;
  if (source.is_v4()) {
    const std::uint32_t s = source.v4_value(), d = destination.v4_value();
    if ((s != 0 && s >> 24 == 0) || s >> 24 == 127 || s >= 0xe0000000) return Drop::kMartianSource;
    if (d >> 24 == 0 || d >> 24 == 127 || (d >= 0xf0000000 && d != 0xffffffff))
      return Drop::kMartianDestination;
  } else {
    if (source.is_multicast() || source.is_loopback()) return Drop::kMartianSource;
    if (destination.is_loopback() || destination.is_unspecified()) return Drop::kMartianDestination;
  }
  return source == destination ? std::optional(Drop::kLand) : std::nullopt;
}

// Sent by somebody who is bound, and yet never the start of a flow.
constexpr std::optional<Drop> starts_no_flow(const IpAddress& source,
                                             const IpAddress& destination) noexcept {
  if (source.is_unspecified()) return Drop::kMartianSource;
  if (destination.is_multicast() || (destination.is_v4() && destination.v4_value() == 0xffffffff))
    return Drop::kNoBroadcast;
  if (source.is_link_local() || destination.is_link_local()) return Drop::kLinkLocalForward;
  return std::nullopt;
}

// The bit of a segment's services (model::kDhcp) that says that there is an address service.
inline constexpr std::uint16_t kAddressService = 1;
// UDP ports of the address service: a client asks, a server answers.
constexpr bool asks_for_address(IpVersion version, std::uint16_t from, std::uint16_t to) noexcept {
  return version == IpVersion::k4 ? from == 68 && to == 67 : from == 546 && to == 547;
}
constexpr bool answers_with_address(IpVersion version, std::uint16_t from,
                                    std::uint16_t to) noexcept {
  return version == IpVersion::k4 ? from == 67 && to == 68 : from == 547 && to == 546;
}

}  // namespace sallyport::decide
