#include "control/setup/netlink.h"

#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <initializer_list>
#include <memory>
#include <span>

#include "policy/base/bytes.h"
#include "policy/base/check.h"
#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::setup {
namespace {

// One request under construction. Everything in it is ours and small; outgrowing the buffer is a
// bug.
class Message {
 public:
  template <class Header>
  Message(std::uint16_t type, unsigned flags, const Header& header) {
    nlmsghdr& start = *reinterpret_cast<nlmsghdr*>(buffer_.data());
    start.nlmsg_type = type;
    start.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    size_ = NLMSG_LENGTH(0);
    append(&header, sizeof(header));
  }

  template <class T>
  Message& attribute(unsigned type, const T& value) {
    return attribute(type, &value, sizeof(value));
  }
  Message& attribute(unsigned type, const void* value, std::size_t size) {
    const rtattr header = {static_cast<unsigned short>(RTA_LENGTH(size)),
                           static_cast<unsigned short>(type)};
    append(&header, sizeof(header));
    append(value, size);
    return *this;
  }
  Message& address(unsigned type, const IpAddress& address) {
    const auto& bytes = address.bytes();
    return address.is_v4() ? attribute(type, &bytes[12], 4) : attribute(type, bytes.data(), 16);
  }

  std::span<const std::uint8_t> finish() {
    reinterpret_cast<nlmsghdr*>(buffer_.data())->nlmsg_len = static_cast<std::uint32_t>(size_);
    return std::span(buffer_).first(size_);
  }

 private:
  void append(const void* bytes, std::size_t size) {
    SALLYPORT_CHECK(size_ + NLMSG_ALIGN(size) <= buffer_.size());
    std::memcpy(&buffer_[size_], bytes, size);
    size_ += NLMSG_ALIGN(size);
  }
  alignas(nlmsghdr) std::array<std::uint8_t, 512> buffer_{};
  std::size_t size_ = 0;
};

// The kernel's errno for the request; 0 when done.
Outcome<int> acknowledgement(int socket) {
  alignas(nlmsghdr) std::array<std::uint8_t, 4096> buffer{};
  const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), 0);
  if (size < 0) return failed(errno, "netlink receive");
  Cursor cursor({buffer.data(), static_cast<std::size_t>(size)});
  const auto header = cursor.object<nlmsghdr>();
  const auto error = cursor.object<nlmsgerr>();
  if (!header || header->nlmsg_type != NLMSG_ERROR || !error)
    return failed(EPROTO, "netlink answer");
  return -error->error;
}

Outcome<void> request(Message message, std::string subject, std::initializer_list<int> harmless) {
  const os::UniqueFd socket(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!socket) return failed(errno, "netlink socket");
  const auto bytes = message.finish();
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(socket.get(), bytes.data(), bytes.size(), 0,
               reinterpret_cast<const sockaddr*>(&kernel), sizeof(kernel)) < 0)
    return failed(errno, "netlink send");
  SALLYPORT_TRY(const int error, acknowledgement(socket.get()));
  if (error == 0 || std::ranges::find(harmless, error) != harmless.end()) return {};
  return failed(error, std::move(subject));
}

ifinfomsg link_header(unsigned index) {
  ifinfomsg header = {};
  header.ifi_family = AF_UNSPEC;
  header.ifi_index = static_cast<int>(index);
  return header;
}

std::uint8_t family_of(IpVersion version) { return version == IpVersion::k4 ? AF_INET : AF_INET6; }

ifaddrmsg address_header(unsigned index, const IpAddress& address, unsigned prefix_length) {
  ifaddrmsg header = {};
  header.ifa_family = family_of(address.version());
  header.ifa_prefixlen = static_cast<std::uint8_t>(prefix_length);
  header.ifa_scope = address.is_link_local() ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  header.ifa_index = index;
  return header;
}

ndmsg neighbour_header(unsigned index, const IpAddress& address) {
  ndmsg header = {};
  header.ndm_family = family_of(address.version());
  header.ndm_ifindex = static_cast<int>(index);
  header.ndm_state = NUD_PERMANENT;
  return header;
}

rtmsg default_route_header(IpVersion version) {
  rtmsg header = {};
  header.rtm_family = family_of(version);
  header.rtm_table = RT_TABLE_MAIN;
  header.rtm_protocol = RTPROT_STATIC;
  header.rtm_scope = RT_SCOPE_UNIVERSE;
  header.rtm_type = RTN_UNICAST;
  return header;
}

}  // namespace

Outcome<Link> find_link(const std::string& name) {
  const os::UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return failed(errno, "socket");
  ifreq query = {};
  if (name.size() >= sizeof(query.ifr_name)) return failed(ENODEV, name);
  std::memcpy(query.ifr_name, name.data(), name.size());
  Link out;
  if (::ioctl(socket.get(), SIOCGIFINDEX, &query) != 0) return failed(errno, name);
  out.index = static_cast<unsigned>(query.ifr_ifindex);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &query) != 0) return failed(errno, name);
  out.flags = static_cast<unsigned>(static_cast<unsigned short>(query.ifr_flags));
  if (::ioctl(socket.get(), SIOCGIFHWADDR, &query) != 0) return failed(errno, name);
  std::array<std::uint8_t, 6> mac{};
  std::memcpy(mac.data(), query.ifr_hwaddr.sa_data, mac.size());
  out.mac = MacAddress(mac);
  return out;
}

Outcome<std::vector<std::string>> link_names() {
  struct Free {
    void operator()(struct if_nameindex* list) const { ::if_freenameindex(list); }
  };
  const std::unique_ptr<struct if_nameindex, Free> list(::if_nameindex());
  if (!list) return failed(errno, "if_nameindex");
  std::vector<std::string> names;
  for (const struct if_nameindex* entry = list.get(); entry->if_index != 0; ++entry) {
    if (std::string_view(entry->if_name) != "lo") names.emplace_back(entry->if_name);
  }
  return names;
}

Outcome<void> set_link_flags(unsigned index, unsigned flags, unsigned mask) {
  ifinfomsg header = link_header(index);
  header.ifi_flags = flags & mask;
  header.ifi_change = mask;
  return request({RTM_NEWLINK, 0, header}, "link flags", {});
}

Outcome<void> set_link_mac(unsigned index, const MacAddress& mac) {
  Message message(RTM_NEWLINK, 0, link_header(index));
  message.attribute(IFLA_ADDRESS, mac.bytes());
  return request(message, "link address", {});
}

Outcome<void> set_link_mtu(unsigned index, std::uint32_t mtu) {
  Message message(RTM_NEWLINK, 0, link_header(index));
  message.attribute(IFLA_MTU, mtu);
  return request(message, "link MTU", {});
}

Outcome<void> move_link(unsigned index, int target_namespace) {
  Message message(RTM_NEWLINK, 0, link_header(index));
  message.attribute(IFLA_NET_NS_FD, static_cast<std::uint32_t>(target_namespace));
  return request(message, "move to another namespace", {});
}

Outcome<void> delete_link(unsigned index) {
  return request({RTM_DELLINK, 0, link_header(index)}, "delete link", {ENODEV});
}

Outcome<void> detach_xdp(unsigned index) {
  struct Nested {
    rtattr fd_header;
    std::int32_t fd;
    rtattr flags_header;
    std::uint32_t flags;
  };
  for (const std::uint32_t mode : {XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE}) {
    Message message(RTM_NEWLINK, 0, link_header(index));
    const Nested nested = {{RTA_LENGTH(4), IFLA_XDP_FD}, -1, {RTA_LENGTH(4), IFLA_XDP_FLAGS}, mode};
    message.attribute(IFLA_XDP | NLA_F_NESTED, nested);
    // Drivers without XDP say EOPNOTSUPP or EINVAL: then there is nothing to take off.
    SALLYPORT_TRY_VOID(request(message, "detach XDP", {EOPNOTSUPP, EINVAL}));
  }
  return {};
}

Outcome<void> add_address(unsigned index, const IpAddress& address, unsigned prefix_length) {
  Message message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE,
                  address_header(index, address, prefix_length));
  message.address(IFA_LOCAL, address).address(IFA_ADDRESS, address);
  // Devices are enrolled, their addresses reviewed; asking the wire (RFC 4862 §5.4) would only let
  // a rogue veto the gateway's own address.
  message.attribute(IFA_FLAGS, static_cast<std::uint32_t>(IFA_F_NODAD | IFA_F_PERMANENT));
  return request(message, address.to_string(), {EEXIST});
}

Outcome<void> delete_address(unsigned index, const IpAddress& address, unsigned prefix_length) {
  Message message(RTM_DELADDR, 0, address_header(index, address, prefix_length));
  message.address(IFA_LOCAL, address).address(IFA_ADDRESS, address);
  return request(message, address.to_string(), {EADDRNOTAVAIL});
}

Outcome<void> set_neighbour(unsigned index, const IpAddress& address, const MacAddress& mac) {
  Message message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, neighbour_header(index, address));
  message.address(NDA_DST, address).attribute(NDA_LLADDR, mac.bytes());
  return request(message, address.to_string(), {});
}

Outcome<void> delete_neighbour(unsigned index, const IpAddress& address) {
  Message message(RTM_DELNEIGH, 0, neighbour_header(index, address));
  message.address(NDA_DST, address);
  return request(message, address.to_string(), {ENOENT});
}

Outcome<void> set_default_route(unsigned index, const IpAddress& gateway) {
  Message message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
                  default_route_header(gateway.version()));
  message.address(RTA_GATEWAY, gateway).attribute(RTA_OIF, index);
  return request(message, "default via " + gateway.to_string(), {});
}

Outcome<void> delete_default_route(unsigned index, IpVersion version) {
  Message message(RTM_DELROUTE, 0, default_route_header(version));
  message.attribute(RTA_OIF, index);
  return request(message, "default route", {ESRCH});
}

}  // namespace sallyport::setup
