// The forms of single values in gateway.yaml: addresses, prefixes, MACs, names, members, rates,
// dates. Each reader reports a problem with the right form and returns nothing for anything else.
//
// Pure but for the problems they add. Thread: no sharing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/config/fields.h"
#include "policy/base/net.h"
#include "policy/model/model.h"

namespace sallyport::control {

std::optional<IpAddress> read_address(const Node& node, std::string_view what, Problems& problems);
// A host or a whole prefix; set host bits are refused, with the prefix that was meant as the hint.
std::optional<IpPrefix> read_prefix(const Node& node, std::string_view what, Problems& problems);
// "10.20.0.1/24": an address with the subnet around it.
std::optional<model::InterfaceAddress> read_interface(const Node& node, std::string_view what,
                                                      Problems& problems);
std::optional<MacAddress> read_mac(const Node& node, std::string_view what, Problems& problems);
// "lan1" or "lan1.20".
std::optional<model::Member> read_member(const Node& node, std::string_view what,
                                         Problems& problems);
// "200/s".
std::optional<std::uint32_t> read_rate(const Node& node, std::string_view what, Problems& problems);
// Seconds of "90s", "10m", "2h", "1d" or "90"; nothing for anything else, zero, or more than
// kMaxDuration.
inline constexpr std::int64_t kMaxDuration = 7 * 86'400;
std::optional<std::int64_t> parse_duration(std::string_view text);
// The same with its unit, from `least` to `most` seconds.
std::optional<std::uint32_t> read_duration(const Node& node, std::string_view what,
                                           std::uint32_t least, std::uint32_t most,
                                           Problems& problems);
// "2026-11-01" as days since 1970-01-01.
std::optional<std::int32_t> read_date(const Node& node, std::string_view what, Problems& problems);
// A host name; upper case is turned into lower case (RFC 4343).
std::optional<std::string> read_host_name(const Node& node, std::string_view what,
                                          Problems& problems);
// False after reporting a name that is not [a-z][a-z0-9-]* of at most `max` bytes.
bool check_name(std::string_view name, std::size_t max, std::string_view what, model::Position at,
                Problems& problems);

}  // namespace sallyport::control
