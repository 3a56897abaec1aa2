#include "tls-termination/session/conversation.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "policy/base/check.h"
#include "tls-termination/session/socket_address.h"

namespace sallyport::terminator {
namespace {

auto nothing_yet() { return fail(ErrorKind::kInternal, "not-asked"); }

// The version that the client came by is tried first; else the order stays.
std::vector<IpAddress> preferring(const std::vector<IpAddress>& addresses, IpVersion version) {
  std::vector<IpAddress> out;
  for (const bool wanted : {true, false})
    for (const IpAddress& address : addresses)
      if ((address.version() == version) == wanted) out.push_back(address);
  return out;
}

// A peer that vanished without a word is noticed within a few minutes even on an idle conversation.
void keep_alive(int fd) {
  const int on = 1;
  const int idle_s = 60;
  const int every_s = 20;
  const int count = 3;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof(count));
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

}  // namespace

std::string_view to_string(Phase phase) {
  static constexpr std::array<std::string_view, kPhases> kNames = {
      "handshake-client", "resolve", "socket", "connect", "handshake-server", "relay", "ended"};
  return kNames[static_cast<std::size_t>(phase)];
}

// Rows: phases. Columns: client ready, server ready, answer of setup or resolver, deadline. Before
// the relay the client's socket is watched only while its handshake runs, the server's only once it
// is there.
const std::array<std::array<Conversation::Handler, Conversation::kEvents>, kPhases>
    Conversation::kTable = {{
        {&Conversation::handshake_client, &Conversation::impossible, &Conversation::impossible,
         &Conversation::too_late},
        {&Conversation::nothing, &Conversation::impossible, &Conversation::answered,
         &Conversation::too_late},
        {&Conversation::nothing, &Conversation::impossible, &Conversation::answered,
         &Conversation::too_late},
        {&Conversation::nothing, &Conversation::connected, &Conversation::impossible,
         &Conversation::next_address},
        {&Conversation::nothing, &Conversation::handshake_server, &Conversation::impossible,
         &Conversation::too_late},
        {&Conversation::relay, &Conversation::relay, &Conversation::impossible,
         &Conversation::idle},
        {&Conversation::nothing, &Conversation::nothing, &Conversation::nothing,
         &Conversation::nothing},
    }};

Conversation::Conversation(ConversationHost& host, std::shared_ptr<const Terms> terms,
                           os::UniqueFd accepted, Client client, Credit credit, Instant began)
    : host_(host),
      terms_(std::move(terms)),
      silences_(terms_->plan.silences),
      client_(client),
      credit_(std::move(credit)),
      began_(began),
      client_leg_(std::move(accepted)),
      socket_answer_(nothing_yet()),
      address_answer_(nothing_yet()) {
  keep_alive(client_leg_.fd());
}

Conversation::~Conversation() {
  if (phase_ == Phase::kEnded) return;
  if (client_leg_.open()) host_.loop().forget(client_leg_.fd());
  if (server_leg_.open()) host_.loop().forget(server_leg_.fd());
  host_.loop().cancel_timer(*this);
}

void Conversation::start() {
  host_.loop().set_timer(*this, began_ + host_.timeouts().handshake);
  if (!terms_->plan.tls_listener) return find_server();
  if (auto secured = client_leg_.secure(*terms_->listener); !secured)
    return end(secured.error(), true);
  handshake_client();
}

void Conversation::happen(Event event) {
  // The table's handlers may end the conversation and the engine let go of it.
  const auto keep = shared_from_this();
  (this->*kTable[static_cast<std::size_t>(phase_)][static_cast<std::size_t>(event)])();
}

void Conversation::on_ready(int fd, std::uint32_t) {
  happen(fd == client_leg_.fd() ? Event::kClientReady : Event::kServerReady);
}

void Conversation::on_timer() { happen(Event::kDeadline); }

void Conversation::nothing() {
  // The client's end of the line while leg B is being made: an error here would be told again and
  // again, so the socket is left alone until the relay reads it.
  if (phase_ != Phase::kEnded && client_leg_.open()) host_.loop().forget(client_leg_.fd());
}
void Conversation::impossible() { SALLYPORT_CHECK(false); }

void Conversation::wait_for(Leg& leg, Io io) {
  host_.loop().watch(leg.fd(),
                     io == Io::kWantWrite ? static_cast<std::uint32_t>(EPOLLOUT)
                                          : static_cast<std::uint32_t>(EPOLLIN),
                     *this);
}

void Conversation::handshake_client() {
  const Io io = client_leg_.handshake();
  if (io == Io::kFailed) return end(client_leg_.failure(), false);
  if (io != Io::kOk) return wait_for(client_leg_, io);
  host_.loop().forget(client_leg_.fd());
  find_server();
}

void Conversation::find_server() {
  const ConduitPlan& plan = terms_->plan;
  if (!plan.server_addresses.empty()) {
    candidates_ = preferring(plan.server_addresses, client_.address.version());
    return open_server();
  }
  phase_ = Phase::kResolve;
  host_.resolver(plan).resolve(
      plan.server.server_name,
      [self = weak_from_this(), &host = host_](Result<std::vector<IpAddress>> addresses) {
        // Through the loop: the answer may come from within the question.
        host.loop().defer([self, addresses = std::move(addresses)] {
          const auto me = self.lock();
          if (!me || me->phase_ != Phase::kResolve) return;
          me->address_answer_ = addresses;
          me->happen(Event::kAnswer);
        });
      });
}

void Conversation::open_server() {
  if (candidates_.empty())
    return end(
        Error{ErrorKind::kUnavailable, "server-unreachable",
              fmt::format("no address of the server answers (conduit {})", terms_->plan.name)},
        false);
  phase_ = Phase::kSocketB;
  server_ = candidates_.front();
  candidates_.erase(candidates_.begin());
  host_.sockets().open(terms_->plan.server_segment, server_->version(), SocketKind::kStream,
                       [self = weak_from_this(), &host = host_](Result<os::UniqueFd> socket) {
                         auto held = std::make_shared<Result<os::UniqueFd>>(std::move(socket));
                         host.loop().defer([self, held] {
                           const auto me = self.lock();
                           if (!me || me->phase_ != Phase::kSocketB) return;
                           me->socket_answer_ = std::move(*held);
                           me->happen(Event::kAnswer);
                         });
                       });
}

void Conversation::answered() {
  if (phase_ == Phase::kResolve) {
    if (!address_answer_) return end(address_answer_.error(), false);
    candidates_ = preferring(*address_answer_, client_.address.version());
    return open_server();
  }
  if (!socket_answer_) return end(socket_answer_.error(), false);
  server_leg_ = Leg(*std::move(socket_answer_));
  connect_server();
}

void Conversation::connect_server() {
  phase_ = Phase::kConnectB;
  keep_alive(server_leg_.fd());
  const SocketAddress to = socket_address(*server_, terms_->plan.server_port);
  if (::connect(server_leg_.fd(), to.raw(), to.size) != 0 && errno != EINPROGRESS)
    return next_address();
  host_.loop().watch(server_leg_.fd(), EPOLLOUT, *this);
  const Instant last = began_ + host_.timeouts().handshake;
  host_.loop().set_timer(*this, std::min(last, host_.loop().now() + host_.timeouts().connect));
}

void Conversation::connected() {
  int error = 0;
  socklen_t size = sizeof(error);
  ::getsockopt(server_leg_.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return next_address();
  host_.loop().set_timer(*this, began_ + host_.timeouts().handshake);
  if (!terms_->plan.tls_server) return begin_relay();
  phase_ = Phase::kHandshakeB;
  if (auto secured = server_leg_.secure(*terms_->server); !secured)
    return end(secured.error(), true);
  handshake_server();
}

void Conversation::next_address() {
  if (server_leg_.open()) {
    host_.loop().forget(server_leg_.fd());
    server_leg_.reset();
  }
  const bool late = host_.loop().now() >= began_ + host_.timeouts().handshake;
  // One that answers is enough to keep the answer for.
  if (terms_->plan.server_addresses.empty() && (late || candidates_.empty()))
    host_.resolver(terms_->plan).forget(terms_->plan.server.server_name);
  if (late) return too_late();
  host_.loop().set_timer(*this, began_ + host_.timeouts().handshake);
  open_server();
}

void Conversation::handshake_server() {
  const Io io = server_leg_.handshake();
  if (io == Io::kFailed) return end(server_leg_.failure(), true);
  if (io != Io::kOk) return wait_for(server_leg_, io);
  begin_relay();
}

void Conversation::begin_relay() {
  phase_ = Phase::kRelay;
  credit_.settle(wire::HandoverOutcome::kEstablished);
  std::unique_ptr<ModbusInspector> inspector;
  if (terms_->plan.modbus) inspector = std::make_unique<ModbusInspector>(terms_->modbus);
  relay_ = std::make_unique<Relay>(client_leg_, server_leg_, std::move(inspector));
  last_moved_ = host_.loop().now();
  wait_until(patience_ends());
  relay();
}

Instant Conversation::patience_ends() const {
  const Duration idle = silences_.idle.value_or(host_.timeouts().idle);
  const Duration half_closed = silences_.half_closed.value_or(host_.timeouts().half_closed);
  return last_moved_ + (half_closed_ ? std::min(half_closed, idle) : idle);
}

void Conversation::use(const Silences& silences) {
  if (silences == silences_) return;
  silences_ = silences;
  last_moved_ = host_.loop().now();
  if (phase_ == Phase::kRelay && patience_ends() < timer_) wait_until(patience_ends());
}

void Conversation::wait_until(Instant when) {
  timer_ = when;
  host_.loop().set_timer(*this, when);
}

void Conversation::relay() {
  const RelayState state = relay_->step();
  if (auto refused = relay_->take_refused(); !refused.empty())
    host_.refused_requests(*this, refused);
  if (state == RelayState::kFinished) return end(std::nullopt, false);
  if (state == RelayState::kFailed) return end(relay_->failure(), true);
  const std::uint64_t moved = relay_->bytes_up() + relay_->bytes_down();
  if (std::exchange(moved_, moved) != moved || half_closed_ != relay_->half_closed()) {
    half_closed_ = relay_->half_closed();
    last_moved_ = host_.loop().now();
    // A timer that is too early looks again when it fires: bytes on the move cost none.
    if (patience_ends() < timer_) wait_until(patience_ends());
  }
  update_interest();
  if (!relay_->again()) return;
  host_.loop().defer([self = weak_from_this()] {
    const auto me = self.lock();
    if (me && me->phase_ == Phase::kRelay) me->relay();
  });
}

void Conversation::update_interest() {
  const auto set = [this](const Leg& leg, std::uint32_t events) {
    // A socket that nothing is expected of would report a hang-up for ever.
    if (events == 0) {
      host_.loop().forget(leg.fd());
    } else {
      host_.loop().watch(leg.fd(), events, *this);
    }
  };
  set(client_leg_, relay_->client_events());
  set(server_leg_, relay_->server_events());
}

void Conversation::too_late() {
  credit_.settle(wire::HandoverOutcome::kTimedOut);
  end(Error{ErrorKind::kTimeout, "handshake-timeout",
            fmt::format("not established in time; it was at {}", to_string(phase_))},
      true);
}

void Conversation::idle() {
  if (host_.loop().now() < patience_ends()) return wait_until(patience_ends());
  end(Error{ErrorKind::kTimeout, "idle-timeout", "no byte moved for too long"}, true);
}

void Conversation::cut(std::string why) {
  const auto keep = shared_from_this();
  if (phase_ != Phase::kEnded) end(Error{ErrorKind::kRefused, "cut", std::move(why)}, true);
}

void Conversation::end(const std::optional<Error>& error, bool reset) {
  if (phase_ == Phase::kEnded) return;
  credit_.settle(wire::HandoverOutcome::kFailed);
  for (Leg* leg : {&client_leg_, &server_leg_}) {
    if (!leg->open()) continue;
    host_.loop().forget(leg->fd());
    if (reset) {
      leg->reset();
    } else {
      leg->close();
    }
  }
  host_.loop().cancel_timer(*this);
  phase_ = Phase::kEnded;
  host_.ended(*this, error);
}

}  // namespace sallyport::terminator
