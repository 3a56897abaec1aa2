// Both ends of the handover together: the dataplane's own books of grants on one side, the
// terminator with several engines on the other, and clients of every kind between them.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <random>

#include "dataplane/flow/credits.h"
#include "policy/os/clock.h"
#include "tests/unit/terminator/plant.h"
#include "tls-termination/session/socket_address.h"

namespace sallyport::terminator::testing {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kRule = 5;
constexpr std::uint32_t kBound = 6;

class Handover : public ::testing::Test {
 protected:
  Handover() {
    const auto memfd = os::make_shared("ring", sizeof(wire::HandoverMemory));
    auto ours = os::map_shared(memfd->get(), sizeof(wire::HandoverMemory));
    auto theirs = os::map_shared(memfd->get(), sizeof(wire::HandoverMemory));
    memory_ = *std::move(ours);
    credits_.attach(static_cast<wire::HandoverMemory*>(memory_.data()));
    rig_.terminator->attach_ring(*std::move(theirs));
    model::Gateway gateway = plant();
    conduit(gateway, "web").admission.inflight = 64;  // so that the dataplane is the stricter one
    rig_.apply(gateway);
  }

  // As the dataplane does: a SYN passes only with a grant.
  std::optional<Peer> dial_with_grant() {
    const ListenAddress where = rig_.listener("web");
    os::UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const SocketAddress from = socket_address(st::ip("192.0.2.77"), next_port_++);
    EXPECT_EQ(0, ::bind(socket.get(), from.raw(), from.size));
    const auto id = wire::connection_id(st::ip("192.0.2.77"),
                                        static_cast<std::uint16_t>(next_port_ - 1), where.port);
    if (!credits_.grant(kRule, kBound, id, os::steady_now())) return std::nullopt;
    const SocketAddress to = socket_address(where.address, where.port);
    EXPECT_TRUE(::connect(socket.get(), to.raw(), to.size) == 0 || errno == EINPROGRESS);
    return Peer(rig_, std::move(socket));
  }

  Rig rig_{{.timeouts = {.handshake = 400ms}, .engines = 3}};
  os::Mapping memory_;
  dataplane::Counters counters_;
  dataplane::Credits credits_{counters_};
  static inline std::uint16_t next_port_ = 20000;  // no test takes one that another had
};

TEST_F(Handover, EveryGrantComesBackOnceWhateverItsClientDoes) {
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  const Context trusting = client_context("gw.example", "plant-ca.ca");
  const Context distrusting = client_context("other.example", "plant-ca.ca");
  enum class Kind { kGood, kDistrusting, kGarbage, kSilent, kReset, kGone };
  std::mt19937 random(7);
  struct Client {
    Kind kind;
    Peer peer;
  };
  std::vector<Client> clients;
  std::vector<os::UniqueFd> devices;
  constexpr std::uint64_t kClients = 150;
  std::uint64_t no_shows = 0;
  std::uint32_t most = 0;
  ASSERT_TRUE(rig_.until(
      [&] {
        credits_.poll(os::steady_now());
        most = std::max(most, credits_.in_flight(kRule));
        if (counters_.credits_granted < kClients) {
          if (auto peer = dial_with_grant()) {
            const auto kind = static_cast<Kind>(random() % 6);
            if (kind == Kind::kGood || kind == Kind::kDistrusting) {
              EXPECT_TRUE(peer->leg().secure(kind == Kind::kGood ? trusting : distrusting));
            }
            if (kind == Kind::kGarbage)
              static_cast<void>(peer->leg().write(bytes("GET / HTTP/1.1\r\n\r\n")));
            if (kind == Kind::kReset) peer->leg().reset();
            if (kind == Kind::kGone) peer->leg().close();
            clients.push_back({kind, *std::move(peer)});
          } else if (random() % 8 == 0 && no_shows < 3) {
            // Nobody ever comes for it.
            no_shows += credits_.grant(kRule, kBound + 1, random(), os::steady_now()) ? 1 : 0;
          }
        }
        for (Client& client : clients)
          if (client.peer.leg().open() && client.peer.leg().secured())
            static_cast<void>(client.peer.leg().handshake());
        while (auto device = accept_on(camera)) devices.push_back(*std::move(device));
        return counters_.credits_granted >= kClients && credits_.in_flight(kRule) == 0;
      },
      60s));
  EXPECT_LE(most, kBound + 1);
  EXPECT_GT(most, 1U);
  EXPECT_EQ(counters_.credits_granted, counters_.credits_returned);
  EXPECT_EQ(0U, counters_.credits_refused) << "something came back twice";
  EXPECT_EQ(0U, counters_.credits_reclaimed) << "something did not come back";
  const AdmissionCounts web = rig_.counts("web");
  EXPECT_EQ(0U, web.in_flight);
  EXPECT_GT(web.established, 10U);
  EXPECT_GT(web.failed, 10U);
  EXPECT_GT(web.timed_out, 5U);
  // What each engine counted for itself is in all what the front counted.
  AdmissionCounts all;
  for (std::size_t i = 0; i < rig_.terminator->engines(); ++i) {
    std::optional<AdmissionCounts> one;
    std::mutex lock;
    rig_.terminator->engine(i).post([&](Engine& engine) {
      const std::scoped_lock held(lock);
      one = engine.counts();
    });
    ASSERT_TRUE(rig_.until([&] {
      const std::scoped_lock held(lock);
      return one.has_value();
    }));
    EXPECT_GT(one->admitted, 0U);
    all.admitted += one->admitted;
    all.established += one->established;
    all.failed += one->failed;
    all.timed_out += one->timed_out;
  }
  EXPECT_EQ(web.admitted, all.admitted);
  EXPECT_EQ(web.established, all.established);
  EXPECT_EQ(web.failed, all.failed);
  EXPECT_EQ(web.timed_out, all.timed_out);
}

TEST_F(Handover, NoneIsLostByACommitInTheMiddleOfHandshakes) {
  std::vector<Peer> silent;
  while (auto peer = dial_with_grant()) silent.push_back(*std::move(peer));
  ASSERT_TRUE(rig_.until([&] { return rig_.counts("web").in_flight == kBound; }));
  model::Gateway next = plant();
  remove(next, "web");
  rig_.apply(next);
  ASSERT_TRUE(rig_.until([&] {
    credits_.poll(os::steady_now());
    return credits_.in_flight(kRule) == 0;
  }));
  EXPECT_EQ(kBound, counters_.credits_returned);
  EXPECT_EQ(0U, counters_.credits_refused);
  EXPECT_EQ(kBound, rig_.counts("web").failed);
}

}  // namespace
}  // namespace sallyport::terminator::testing
