#include "control/exporter/server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <chrono>

#include "control/exporter/place.h"

namespace sallyport::exporter {
namespace {

using Clock = std::chrono::steady_clock;

class Http : public testing::Test {
 protected:
  void SetUp() override {
    auto sockets = bind_both(0);
    ASSERT_TRUE(sockets) << sockets.error().context;
    for (const os::UniqueFd& one : *sockets) ports_.push_back(port_of(one.get()));
    ASSERT_TRUE(listen_on(*sockets));
    auto server = HttpServer::serve(std::move(*sockets), [this] {
      ++pages_;
      return std::string("figure 1\n");
    });
    ASSERT_TRUE(server) << server.error().context;
    server_.emplace(*std::move(server));
  }

  static std::uint16_t port_of(int socket) {
    sockaddr_storage name{};
    socklen_t size = sizeof(name);
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&name), &size);
    return name.ss_family == AF_INET ? ntohs(reinterpret_cast<sockaddr_in&>(name).sin_port)
                                     : ntohs(reinterpret_cast<sockaddr_in6&>(name).sin6_port);
  }
  os::UniqueFd dial(bool six) const {
    os::UniqueFd client(::socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in to4{};
    to4.sin_family = AF_INET;
    to4.sin_port = htons(ports_[0]);
    to4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr_in6 to6{};
    to6.sin6_family = AF_INET6;
    to6.sin6_port = htons(ports_[1]);
    to6.sin6_addr = in6addr_loopback;
    const auto* to =
        six ? reinterpret_cast<const sockaddr*>(&to6) : reinterpret_cast<const sockaddr*>(&to4);
    EXPECT_EQ(::connect(client.get(), to, six ? sizeof(to6) : sizeof(to4)), 0);
    return client;
  }
  // Turns of the server's loop until the client has the end of what it is sent.
  std::string read_all(int client) {
    std::string out;
    const auto end = Clock::now() + std::chrono::seconds(5);
    while (Clock::now() < end) {
      std::vector<pollfd> wait = {{client, POLLIN, 0}};
      for (const int fd : server_->wake_fds()) wait.push_back({fd, POLLIN, 0});
      ::poll(wait.data(), wait.size(), server_->wait_ms(100));
      server_->run();
      if (wait[0].revents == 0) continue;
      char buffer[4096];
      const ssize_t count = ::recv(client, buffer, sizeof(buffer), MSG_DONTWAIT);
      if (count == 0 || (count < 0 && errno == ECONNRESET)) return out;
      if (count > 0) out.append(buffer, static_cast<std::size_t>(count));
    }
    ADD_FAILURE() << "no end of the answer: " << out;
    return out;
  }
  std::string ask(const std::string& request, bool six = false) {
    const os::UniqueFd client = dial(six);
    EXPECT_EQ(::send(client.get(), request.data(), request.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(request.size()));
    return read_all(client.get());
  }
  static std::string get(const std::string& what) {
    return what + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  }

  std::vector<std::uint16_t> ports_;
  std::optional<HttpServer> server_;
  int pages_ = 0;
};

TEST_F(Http, ServesThePageInBothIpVersions) {
  for (const bool six : {false, true}) {
    const std::string answer = ask(get("GET /metrics"), six);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ")) << answer;
    EXPECT_NE(answer.find("Content-Type: text/plain; version=0.0.4"), std::string::npos) << answer;
    EXPECT_TRUE(answer.ends_with("\r\n\r\nfigure 1\n")) << answer;
  }
  EXPECT_EQ(pages_, 2);
}

TEST_F(Http, AnythingElseHasNoAnswer) {
  EXPECT_TRUE(ask(get("GET /")).starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(ask(get("GET /metrics/../x")).starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(ask(get("POST /metrics")).starts_with("HTTP/1.1 405 "));
  EXPECT_TRUE(ask(get("DELETE /metrics")).starts_with("HTTP/1.1 405 "));
  EXPECT_EQ(pages_, 0);
}

TEST_F(Http, OneAddressCannotTakeAllPlaces) {
  std::vector<os::UniqueFd> idle;
  for (unsigned i = 0; i < HttpServer::kMostOfOneAddress; ++i) {
    idle.push_back(dial(false));
    ASSERT_EQ(::send(idle.back().get(), "G", 1, MSG_NOSIGNAL), 1);
  }
  // One more is closed without an answer; over IPv6, another address, there is one.
  EXPECT_EQ(ask(get("GET /metrics")), "");
  EXPECT_NE(ask(get("GET /metrics"), true).find("figure 1"), std::string::npos);
}

TEST_F(Http, AHeadThatNeverEndsIsRefused) {
  std::string request = "GET /metrics HTTP/1.1\r\nHost: x\r\n";
  while (request.size() < 64 * 1024) request += "X-Filler: " + std::string(1000, 'x') + "\r\n";
  const std::string answer = ask(request);
  EXPECT_TRUE(answer.empty() || answer.starts_with("HTTP/1.1 4")) << answer;
  EXPECT_EQ(pages_, 0);
}

}  // namespace
}  // namespace sallyport::exporter
