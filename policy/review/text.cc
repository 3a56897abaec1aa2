#include "policy/review/text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <vector>

namespace sallyport::review {
namespace {

template <class List, class Text>
std::string sorted(const List& list, Text text, const char* none = "none") {
  std::vector<std::string> out;
  for (const auto& one : list) out.push_back(text(one));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out.empty() ? none : fmt::format("{}", fmt::join(out, " "));
}

}  // namespace

std::string date_text(std::int32_t day) {
  if (day == 0) return "never";
  const std::chrono::year_month_day at{std::chrono::sys_days(std::chrono::days(day))};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(at.year()),
                     static_cast<unsigned>(at.month()), static_cast<unsigned>(at.day()));
}

std::string member_text(const model::Member& m) {
  return m.vlan == 0 ? m.port : fmt::format("{}.{}", m.port, m.vlan);
}

std::string service_text(const model::ServiceSpec& s) {
  if (s.protocol == IpProtocol::kIcmp || s.protocol == IpProtocol::kIcmp6) return "icmp-echo";
  const std::string ports = s.ports.first == s.ports.last
                                ? std::to_string(s.ports.first)
                                : fmt::format("{}-{}", s.ports.first, s.ports.last);
  return fmt::format("{}/{}", to_string(s.protocol), ports);
}

std::string inspection_text(const model::Inspect& inspect) {
  if (!inspect.modbus) return "none";
  const auto numbers = [](std::vector<std::uint8_t> list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
    return list.empty() ? std::string("all") : fmt::format("{}", fmt::join(list, " "));
  };
  return fmt::format("modbus functions {} units {}", numbers(inspect.modbus->functions),
                     numbers(inspect.modbus->units));
}

std::string timeouts_text(const model::Timeouts& timeouts) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < kTimeoutClasses; ++i)
    if (const std::uint32_t said = timeouts.seconds[i]; said != 0)
      out.push_back(fmt::format("{} {}", kTimeouts[i].name, duration_text(said)));
  return out.empty() ? "usual" : fmt::format("{}", fmt::join(out, " "));
}

// Inside an end's text nothing may be ambiguous, however long the list is.
std::string end_text(const model::End& end) {
  if (const auto* e = std::get_if<model::DeviceEnd>(&end))
    return e->device == model::kGatewayName ? "gateway" : "device " + e->device;
  if (const auto* e = std::get_if<model::SegmentEnd>(&end))
    return fmt::format("segment {} {}", e->segment,
                       sorted(e->prefixes, [](const IpPrefix& p) { return p.to_string(); }, "all"));
  if (const auto* e = std::get_if<model::AddressEnd>(&end))
    return "address " + sorted(e->addresses, [](const IpAddress& a) { return a.to_string(); });
  return "name " + std::get<model::NameEnd>(end).name;
}

}  // namespace sallyport::review
