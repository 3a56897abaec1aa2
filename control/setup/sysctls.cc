#include "control/setup/sysctls.h"

#include <fcntl.h>

#include <array>
#include <span>
#include <string_view>

#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::setup {
namespace {

struct Setting {
  std::string_view name;
  std::string_view value;
};

constexpr auto kNoForwarding = std::to_array<Setting>({
    {"net/ipv4/ip_forward", "0"},
    {"net/ipv6/conf/all/forwarding", "0"},
    {"net/ipv6/conf/default/forwarding", "0"},
});

// Below net/ipv4/conf/<all|default|link>/.
constexpr auto kSegment4 = std::to_array<Setting>({
    {"forwarding", "0"},
    {"proxy_arp", "0"},
    {"accept_redirects", "0"},
    {"secure_redirects", "0"},
    {"send_redirects", "0"},
    {"accept_source_route", "0"},
    {"rp_filter", "1"},     // strict, RFC 3704 §2.2
    {"arp_ignore", "1"},    // answer only for addresses of the link asked on
    {"arp_announce", "2"},  // ask only with the address that fits
    {"arp_notify", "0"},    // never announce unasked
    {"arp_accept", "0"},    // learn from nothing unasked
    {"drop_gratuitous_arp", "1"},
});

// Below net/ipv6/conf/<all|default|link>/.
constexpr auto kSegment6 = std::to_array<Setting>({
    {"disable_ipv6", "0"},
    {"forwarding", "0"},
    {"proxy_ndp", "0"},
    {"accept_ra", "0"},
    {"autoconf", "0"},
    {"router_solicitations", "0"},
    {"accept_redirects", "0"},
    {"accept_source_route", "-1"},
    {"accept_dad", "0"},  // a rogue cannot veto the gateway's addresses
    {"dad_transmits", "0"},
    {"ndisc_notify", "0"},
    {"use_tempaddr", "0"},
    {"addr_gen_mode", "0"},  // the link-local address is the MAC's
    {"drop_unsolicited_na", "1"},
});

constexpr auto kPort4 = std::to_array<Setting>({
    {"forwarding", "0"},
    {"proxy_arp", "0"},
    {"arp_ignore", "8"},  // no answer for any address
    {"arp_notify", "0"},
    {"accept_redirects", "0"},
    {"send_redirects", "0"},
    {"accept_source_route", "0"},
});

constexpr auto kPort6 = std::to_array<Setting>({
    {"disable_ipv6", "1"},
    {"forwarding", "0"},
    {"proxy_ndp", "0"},
    {"accept_ra", "0"},
    {"autoconf", "0"},
});

Outcome<void> write_setting(const std::string& name, std::string_view value) {
  const std::string path = "/proc/sys/" + name;
  const os::UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file) return failed(errno, path);
  const ssize_t wrote = ::write(file.get(), value.data(), value.size());
  if (wrote != static_cast<ssize_t>(value.size())) return failed(wrote < 0 ? errno : EIO, path);
  return {};
}

Outcome<void> write_all(const std::string& folder, std::span<const Setting> settings) {
  for (const Setting& setting : settings)
    SALLYPORT_TRY_VOID(write_setting(folder + std::string(setting.name), setting.value));
  return {};
}

Outcome<void> write_link(const std::string& link, std::span<const Setting> v4,
                         std::span<const Setting> v6) {
  SALLYPORT_TRY_VOID(write_all("net/ipv4/conf/" + link + "/", v4));
  return write_all("net/ipv6/conf/" + link + "/", v6);
}

}  // namespace

Outcome<void> settle_segment() {
  SALLYPORT_TRY_VOID(write_all("", kNoForwarding));
  SALLYPORT_TRY_VOID(write_setting("net/ipv4/icmp_echo_ignore_broadcasts", "1"));
  // Beyond the ports that stand for inside endpoints (policy/wire/tables.h, kLastNatPort).
  SALLYPORT_TRY_VOID(write_setting("net/ipv4/ip_local_port_range", "32768 60999"));
  SALLYPORT_TRY_VOID(write_link("all", kSegment4, kSegment6));
  return write_link("default", kSegment4, kSegment6);
}

Outcome<void> settle_segment_link(const std::string& link) {
  return write_link(link, kSegment4, kSegment6);
}

Outcome<void> settle_ports() {
  SALLYPORT_TRY_VOID(write_all("", kNoForwarding));
  SALLYPORT_TRY_VOID(write_link("all", kPort4, kPort6));
  SALLYPORT_TRY_VOID(write_link("default", kPort4, kPort6));
  return write_link("lo", kPort4, kPort6);
}

Outcome<void> settle_port_link(const std::string& link) { return write_link(link, kPort4, kPort6); }

}  // namespace sallyport::setup
