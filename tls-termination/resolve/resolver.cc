#include "tls-termination/resolve/resolver.h"

#include <ares.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

namespace sallyport::terminator {
namespace {

constexpr int kTryTimeoutMs = 1500;
constexpr int kTries = 2;
// UDP sockets per server and try, TCP ones for truncated answers.
constexpr std::size_t kDatagramsAhead = 4;
constexpr std::size_t kStreamsAhead = 1;

IpAddress address_of(const sockaddr* address) {
  if (address->sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, address, sizeof(v4));
    return IpAddress::v4(ntohl(v4.sin_addr.s_addr));
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, address, sizeof(v6));
  std::array<std::uint8_t, 16> bytes{};
  std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
  return IpAddress::v6(bytes);
}

void start_cares() {
  static const int started = ares_library_init(ARES_LIB_INIT_ALL);
  static_cast<void>(started);
}

}  // namespace

// One question under way; c-ares holds it as its argument.
struct Resolver::Query {
  Resolver* resolver;
  std::string name;

  static void done(void* argument, int status, int, ares_addrinfo* info) {
    const std::unique_ptr<Query> query(static_cast<Query*>(argument));
    const std::unique_ptr<ares_addrinfo, decltype(&ares_freeaddrinfo)> answer(info,
                                                                              &ares_freeaddrinfo);
    if (status == ARES_EDESTRUCTION) return;
    Resolver& self = *query->resolver;
    if (status != ARES_SUCCESS) {
      self.finished(query->name, fail(ErrorKind::kUnavailable, "resolve-failed",
                                      fmt::format("{}: {}", query->name, ares_strerror(status))));
      return;
    }
    Kept kept;
    auto ttl = std::chrono::duration_cast<std::chrono::seconds>(kLongestTtl);
    for (const ares_addrinfo_node* node = answer->nodes; node != nullptr; node = node->ai_next) {
      const IpAddress address = address_of(node->ai_addr);
      ttl = std::min(ttl, std::chrono::seconds(node->ai_ttl));
      if (kept.addresses.size() < kMaxAddressesPerName && self.judge_ && self.judge_(address) &&
          std::ranges::find(kept.addresses, address) == kept.addresses.end())
        kept.addresses.push_back(address);
    }
    if (kept.addresses.empty()) {
      self.finished(
          query->name,
          fail(ErrorKind::kRefused, "resolve-martian",
               fmt::format("{}: no address of the answer is a host of the uplink", query->name)));
      return;
    }
    kept.until = self.loop_.now() + std::max<Duration>(ttl, kShortestTtl);
    self.finished(query->name, std::move(kept));
  }
};

// c-ares' view of the network: sockets from the pool, nothing else.
struct Resolver::Hooks {
  static ares_socket_t open(int family, int type, int, void* argument) {
    auto& self = *static_cast<Resolver*>(argument);
    const auto version = family == AF_INET ? IpVersion::k4 : IpVersion::k6;
    const auto kind = type == SOCK_STREAM ? SocketKind::kStream : SocketKind::kDatagram;
    auto& ready = self.pool_[{version, kind}];
    if (ready.empty()) {
      errno = EAGAIN;
      return ARES_SOCKET_BAD;
    }
    const int fd = ready.back().release();
    ready.pop_back();
    return fd;
  }
  static int close(ares_socket_t fd, void* argument) {
    static_cast<Resolver*>(argument)->loop_.forget(fd);
    return ::close(fd);
  }
  static int connect(ares_socket_t fd, const sockaddr* to, ares_socklen_t size, void*) {
    return ::connect(fd, to, size);
  }
  static ares_ssize_t receive(ares_socket_t fd, void* into, size_t size, int flags, sockaddr* from,
                              ares_socklen_t* from_size, void*) {
    return ::recvfrom(fd, into, size, flags, from, from_size);
  }
  static ares_ssize_t send(ares_socket_t fd, const iovec* parts, int count, void*) {
    return ::writev(fd, parts, count);
  }
  static void watch(void* argument, ares_socket_t fd, int readable, int writable) {
    auto& self = *static_cast<Resolver*>(argument);
    const std::uint32_t events = (readable != 0 ? static_cast<std::uint32_t>(EPOLLIN) : 0U) |
                                 (writable != 0 ? static_cast<std::uint32_t>(EPOLLOUT) : 0U);
    if (events == 0) {
      self.loop_.forget(fd);
    } else {
      self.loop_.watch(fd, events, self);
    }
  }
};

Resolver::Resolver(Loop& loop, SocketSource& sockets, std::string segment)
    : loop_(loop), sockets_(sockets), segment_(std::move(segment)) {
  start_cares();
}

Resolver::~Resolver() {
  if (channel_ != nullptr) ares_destroy(channel_);
  loop_.cancel_timer(*this);
}

void Resolver::configure(std::vector<IpAddress> servers, Judge judge) {
  judge_ = std::move(judge);
  cache_.clear();
  if (servers == servers_) return;
  servers_ = std::move(servers);
  if (channel_ != nullptr) {
    ares_cancel(channel_);  // answers everyone who waits
    ares_destroy(channel_);
    channel_ = nullptr;
  }
  refill();
}

// Every field that c-ares would otherwise read from resolv.conf or the environment is given.
Result<void> Resolver::open_channel() {
  if (channel_ != nullptr) return {};
  static std::array<char, 2> dns_only = {'b', '\0'};
  ares_options options{};
  options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES;
  options.timeout = kTryTimeoutMs;
  options.tries = kTries;
  options.ndots = 0;
  options.lookups = dns_only.data();
  options.sock_state_cb = &Hooks::watch;
  options.sock_state_cb_data = this;
  in_addr nobody{};
  options.servers = &nobody;
  options.nservers = 1;
  const int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS |
                   ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB | ARES_OPT_SERVERS | ARES_OPT_DOMAINS |
                   ARES_OPT_SORTLIST;
  int status = ares_init_options(&channel_, &options, mask);
  if (status != ARES_SUCCESS) {
    channel_ = nullptr;
    return fail(ErrorKind::kSystem, "resolve-no-channel", ares_strerror(status));
  }
  static const ares_socket_functions functions = {&Hooks::open, &Hooks::close, &Hooks::connect,
                                                  &Hooks::receive, &Hooks::send};
  ares_set_socket_functions(channel_, &functions, this);
  // As nodes, not as text: c-ares 1.18 refuses an IPv6 address in brackets without a port.
  std::vector<ares_addr_port_node> nodes(servers_.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    ares_addr_port_node& node = nodes[i];
    const IpAddress& server = servers_[i];
    node = {};
    node.next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
    node.family = server.is_v4() ? AF_INET : AF_INET6;
    if (server.is_v4())
      node.addr.addr4.s_addr = htonl(server.v4_value());
    else
      std::memcpy(&node.addr.addr6, server.bytes().data(), server.bytes().size());
  }
  status = ares_set_servers_ports(channel_, nodes.empty() ? nullptr : nodes.data());
  if (status == ARES_SUCCESS) return {};
  ares_destroy(channel_);
  channel_ = nullptr;
  return fail(ErrorKind::kSystem, "resolve-no-channel", ares_strerror(status));
}

// Asks setup for what the pool lacks; queued questions start when it is there.
void Resolver::refill() {
  std::array<bool, 2> wanted = {false, false};
  for (const IpAddress& server : servers_) wanted[server.is_v4() ? 0 : 1] = true;
  for (const IpVersion version : {IpVersion::k4, IpVersion::k6}) {
    if (!wanted[version == IpVersion::k4 ? 0 : 1]) continue;
    for (const SocketKind kind : {SocketKind::kDatagram, SocketKind::kStream}) {
      const std::size_t ahead = kind == SocketKind::kDatagram ? kDatagramsAhead : kStreamsAhead;
      for (std::size_t have = pool_[{version, kind}].size(); have < ahead; ++have) {
        ++refilling_;
        sockets_.open(
            segment_, version, kind,
            [this, alive = std::weak_ptr<int>(alive_), version, kind](Result<os::UniqueFd> socket) {
              if (alive.expired()) return;
              --refilling_;
              if (socket) pool_[{version, kind}].push_back(*std::move(socket));
              if (refilling_ > 0) return;
              for (const std::string& name : std::exchange(queued_, {})) start(name);
            });
      }
    }
  }
}

void Resolver::resolve(const std::string& name, Done done) {
  const auto kept = cache_.find(name);
  if (kept != cache_.end() && loop_.now() < kept->second.until) return done(kept->second.addresses);
  if (servers_.empty())
    return done(fail(
        ErrorKind::kUnavailable, "resolve-no-server",
        fmt::format("nobody to ask for {}: no reviewed conduit lets the gateway use DNS", name)));
  auto& waiters = waiting_[name];
  waiters.push_back(std::move(done));
  if (waiters.size() > 1) return;
  queued_.push_back(name);
  refill();
  if (refilling_ > 0) return;
  for (const std::string& next : std::exchange(queued_, {})) start(next);
}

void Resolver::start(const std::string& name) {
  if (auto opened = open_channel(); !opened) return finished(name, fail(opened.error()));
  ares_addrinfo_hints hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;  // sorting would open sockets of its own
  ares_getaddrinfo(channel_, name.c_str(), nullptr, &hints, &Query::done, new Query{this, name});
  arm();
}

void Resolver::finished(const std::string& name, Result<Kept> outcome) {
  auto waiters = waiting_.extract(name);
  if (outcome) {
    if (cache_.size() >= kMaxNamesKept) cache_.erase(cache_.begin());
    cache_[name] = *outcome;
  }
  if (waiters.empty()) return;
  for (const Done& done : waiters.mapped()) {
    if (outcome) {
      done(outcome->addresses);
    } else {
      done(fail(outcome.error()));
    }
  }
}

void Resolver::arm() {
  if (channel_ == nullptr) return;
  timeval left{};
  if (ares_timeout(channel_, nullptr, &left) == nullptr) return loop_.cancel_timer(*this);
  const auto wait = std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
  loop_.set_timer(*this, loop_.now() + wait + std::chrono::milliseconds(1));
}

void Resolver::on_ready(int fd, std::uint32_t events) {
  const bool readable = (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0;
  const bool writable = (events & EPOLLOUT) != 0;
  if (channel_ != nullptr)
    ares_process_fd(channel_, readable ? fd : ARES_SOCKET_BAD, writable ? fd : ARES_SOCKET_BAD);
  arm();
}

void Resolver::on_timer() {
  if (channel_ != nullptr) ares_process_fd(channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
  arm();
}

}  // namespace sallyport::terminator
