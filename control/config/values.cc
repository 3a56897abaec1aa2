#include "control/config/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "policy/model/names.h"

namespace sallyport::control {
namespace {

constexpr std::uint32_t kMaxRate = 1'000'000;
constexpr std::uint16_t kMaxVlan = 4094;

// Splits "a/b"; the second part is empty if there is no slash.
std::pair<std::string_view, std::string_view> split(std::string_view text, char mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string_view::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + 1)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// The word a name might have meant: lower case, dashes for anything else.
std::string suggest_name(std::string_view text, std::size_t max) {
  std::string out = lower(text.substr(0, max));
  for (char& c : out)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))) c = '-';
  if (out.empty() || out[0] < 'a' || out[0] > 'z') out = ("x" + out).substr(0, max);
  return out;
}

}  // namespace

std::optional<IpAddress> read_address(const Node& node, std::string_view what, Problems& problems) {
  constexpr std::string_view kHint = "an address such as 10.20.0.5 or \"fd00:20::5\"";
  const auto text = scalar(node, what, kHint, problems);
  if (!text) return std::nullopt;
  if (const auto address = IpAddress::parse(*text)) return address;
  const auto [host, length] = split(*text, '/');
  const bool prefix = !length.empty() && IpAddress::parse(host);
  problems.add(node.at, "bad-address", fmt::format("{}: '{}' is no address", what, quote(*text)),
               prefix ? std::string(host) : std::string(kHint));
  return std::nullopt;
}

std::optional<IpPrefix> read_prefix(const Node& node, std::string_view what, Problems& problems) {
  constexpr std::string_view kHint = "a prefix such as 192.0.2.0/24 or \"2001:db8::/64\"";
  const auto text = scalar(node, what, kHint, problems);
  if (!text) return std::nullopt;
  if (const auto prefix = IpPrefix::parse(*text)) return prefix;
  const auto [host, length] = split(*text, '/');
  const auto address = IpAddress::parse(host);
  const auto bits = parse_number(length);
  const auto meant = address && bits && *bits <= 128
                         ? IpPrefix::make(*address, static_cast<unsigned>(*bits))
                         : std::nullopt;
  problems.add(node.at, "bad-prefix",
               fmt::format("{}: '{}' is no prefix{}", what, quote(*text),
                           meant ? " (bits are set behind its length)" : ""),
               meant ? meant->to_string() : std::string(kHint));
  return std::nullopt;
}

std::optional<model::InterfaceAddress> read_interface(const Node& node, std::string_view what,
                                                      Problems& problems) {
  constexpr std::string_view kHint =
      "an address with its subnet, such as 10.20.0.1/24 or \"fd00:20::1/64\"";
  const auto text = scalar(node, what, kHint, problems);
  if (!text) return std::nullopt;
  const auto [host, length] = split(*text, '/');
  const auto address = IpAddress::parse(host);
  const auto bits = parse_number(length);
  const auto subnet = address && bits && *bits >= 1 && *bits <= 128
                          ? IpPrefix::make(*address, static_cast<unsigned>(*bits))
                          : std::nullopt;
  if (subnet && !address->is_multicast() && !address->is_unspecified() && !address->is_loopback())
    return model::InterfaceAddress{*address, *subnet};
  problems.add(node.at, "bad-interface-address",
               fmt::format("{}: '{}' is no address with a subnet", what, quote(*text)),
               address && length.empty()
                   ? fmt::format("{}/{}", *text, address->is_v4() ? "24" : "64")
                   : std::string(kHint));
  return std::nullopt;
}

std::optional<MacAddress> read_mac(const Node& node, std::string_view what, Problems& problems) {
  constexpr std::string_view kHint = "six pairs of digits in quotes, such as \"02:00:00:00:20:05\"";
  const auto text = scalar(node, what, kHint, problems);
  if (!text) return std::nullopt;
  const auto mac = MacAddress::parse(lower(*text));
  if (mac && !mac->is_group() && !mac->is_zero()) return mac;
  problems.add(node.at, "bad-mac",
               fmt::format("{}: '{}' is no device's MAC address", what, quote(*text)),
               std::string(kHint));
  return std::nullopt;
}

std::optional<model::Member> read_member(const Node& node, std::string_view what,
                                         Problems& problems) {
  constexpr std::string_view kHint = "a port or a port's VLAN, such as lan1 or lan1.20";
  const auto text = scalar(node, what, kHint, problems);
  if (!text) return std::nullopt;
  const auto [port, vlan] = split(*text, '.');
  const bool tagged = port.size() != text->size();
  const auto number = tagged ? parse_number(vlan) : std::optional<std::uint64_t>(0);
  if (model::is_name(port, model::kMaxShortName) && number &&
      (!tagged || (*number >= 1 && *number <= kMaxVlan)))
    return model::Member{std::string(port), static_cast<std::uint16_t>(*number)};
  problems.add(node.at, "bad-port",
               fmt::format("{}: '{}' is neither a port nor a port's VLAN (1 to {})", what,
                           quote(*text), kMaxVlan),
               std::string(kHint));
  return std::nullopt;
}

std::optional<std::uint32_t> read_rate(const Node& node, std::string_view what,
                                       Problems& problems) {
  const auto text = scalar(node, what, "200/s", problems);
  if (!text) return std::nullopt;
  const auto [figure, unit] = split(*text, '/');
  const auto value = parse_number(figure);
  if (unit == "s" && value && *value >= 1 && *value <= kMaxRate)
    return static_cast<std::uint32_t>(*value);
  problems.add(node.at, "bad-rate",
               fmt::format("{}: '{}' is no rate from 1/s to {}/s", what, quote(*text), kMaxRate),
               value && *value >= 1 && *value <= kMaxRate ? fmt::format("{}/s", *value) : "200/s");
  return std::nullopt;
}

std::optional<std::int64_t> parse_duration(std::string_view text) {
  std::int64_t unit = 1;
  if (!text.empty()) {
    const char last = text.back();
    if (last == 's' || last == 'm' || last == 'h' || last == 'd') text.remove_suffix(1);
    unit = last == 'm' ? 60 : last == 'h' ? 3600 : last == 'd' ? 86'400 : 1;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (value < 1 || value > kMaxDuration / unit) return std::nullopt;
  return value * unit;
}

std::optional<std::uint32_t> read_duration(const Node& node, std::string_view what,
                                           std::uint32_t least, std::uint32_t most,
                                           Problems& problems) {
  const std::string hint =
      fmt::format("a time with its unit, such as {}", duration_text(std::min(most, least * 6)));
  const auto text = scalar(node, what, hint, problems);
  if (!text) return std::nullopt;
  const auto seconds = parse_duration(*text);
  const bool unit = text->back() > '9';
  if (seconds && unit && *seconds >= least && *seconds <= most)
    return static_cast<std::uint32_t>(*seconds);
  const bool meant = seconds && !unit && *seconds >= least && *seconds <= most;
  problems.add(node.at, "bad-duration",
               fmt::format("{}: '{}' is no time from {} to {}", what, quote(*text),
                           duration_text(least), duration_text(most)),
               meant ? duration_text(static_cast<std::uint32_t>(*seconds)) : hint);
  return std::nullopt;
}

std::optional<std::int32_t> read_date(const Node& node, std::string_view what, Problems& problems) {
  constexpr std::string_view kHint = "a date as year-month-day, such as 2026-11-01";
  const auto text = scalar(node, what, kHint, problems);
  if (!text) return std::nullopt;
  const auto digits = [&](std::size_t at, std::size_t count) {
    unsigned value = 0;
    const char* begin = text->data() + at;
    const auto [end, error] = std::from_chars(begin, begin + count, value);
    return error == std::errc{} && end == begin + count ? std::optional(value) : std::nullopt;
  };
  if (text->size() == 10 && (*text)[4] == '-' && (*text)[7] == '-') {
    const auto year = digits(0, 4);
    const auto month = digits(5, 2);
    const auto day = digits(8, 2);
    if (year && month && day && *year >= 1970) {
      const std::chrono::year_month_day date(std::chrono::year(static_cast<int>(*year)),
                                             std::chrono::month(*month), std::chrono::day(*day));
      if (date.ok())
        return static_cast<std::int32_t>(std::chrono::sys_days(date).time_since_epoch().count());
    }
  }
  problems.add(node.at, "bad-date", fmt::format("{}: '{}' is no date", what, quote(*text)),
               std::string(kHint));
  return std::nullopt;
}

std::optional<std::string> read_host_name(const Node& node, std::string_view what,
                                          Problems& problems) {
  constexpr std::string_view kHint = "a host name such as broker.example";
  const auto text = scalar(node, what, kHint, problems);
  if (!text) return std::nullopt;
  std::string name = lower(*text);
  if (model::is_host_name(name)) return name;
  const bool address = IpAddress::parse(*text).has_value();
  problems.add(node.at, "bad-host-name",
               fmt::format("{}: '{}' is no host name", what, quote(*text)),
               address ? fmt::format("address: {}", *text) : std::string(kHint));
  return std::nullopt;
}

bool check_name(std::string_view name, std::size_t max, std::string_view what, model::Position at,
                Problems& problems) {
  if (model::is_name(name, max)) return true;
  problems.add(at, "bad-name",
               fmt::format("'{}' is no name of a {}: a letter, then letters, digits and '-', lower "
                           "case, at most {}",
                           quote(name), what, max),
               suggest_name(name, max));
  return false;
}

}  // namespace sallyport::control
