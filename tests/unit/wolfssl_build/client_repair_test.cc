// Our repair of the client's ChangeCipherSpec check (CVE-2026-93304) refuses no handshake that is
// in order: neither a full one nor a resumed one, where the server's ChangeCipherSpec comes without
// a ClientKeyExchange before it. Client and server run in one thread over queues of datagrams.
#include <gtest/gtest.h>
#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <string_view>

namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* handle) const noexcept {
    Free(handle);
  }
};
using Context = std::unique_ptr<WOLFSSL_CTX, Freed<&wolfSSL_CTX_free>>;
using Session = std::unique_ptr<WOLFSSL, Freed<&wolfSSL_free>>;

// One datagram per element; an inbox is the other side's outbox.
using Wire = std::deque<std::string>;
struct Pipe {
  Wire* inbox;
  Wire* outbox;
};

int take(WOLFSSL* /*session*/, char* to, int size, void* pipe) {
  Wire& inbox = *static_cast<Pipe*>(pipe)->inbox;
  if (inbox.empty()) return WOLFSSL_CBIO_ERR_WANT_READ;
  const auto count = std::min(inbox.front().size(), static_cast<std::size_t>(size));
  std::memcpy(to, inbox.front().data(), count);
  inbox.pop_front();
  return static_cast<int>(count);
}

int give(WOLFSSL* /*session*/, char* from, int size, void* pipe) {
  static_cast<Pipe*>(pipe)->outbox->emplace_back(from, static_cast<std::size_t>(size));
  return size;
}

class ClientRepair : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(wolfSSL_Init(), WOLFSSL_SUCCESS);
    server_context_.reset(wolfSSL_CTX_new(wolfDTLSv1_2_server_method()));
    client_context_.reset(wolfSSL_CTX_new(wolfDTLSv1_2_client_method()));
    ASSERT_NE(server_context_, nullptr);
    ASSERT_NE(client_context_, nullptr);
    ASSERT_EQ(
        wolfSSL_CTX_use_certificate_file(server_context_.get(), SERVER_PEM, WOLFSSL_FILETYPE_PEM),
        WOLFSSL_SUCCESS);
    ASSERT_EQ(
        wolfSSL_CTX_use_PrivateKey_file(server_context_.get(), SERVER_PEM, WOLFSSL_FILETYPE_PEM),
        WOLFSSL_SUCCESS);
    ASSERT_EQ(wolfSSL_CTX_load_verify_locations(client_context_.get(), SERVER_PEM, nullptr),
              WOLFSSL_SUCCESS);
    server_ = open(server_context_, server_pipe_);
    client_ = open(client_context_, client_pipe_);
  }

  static Session open(const Context& context, Pipe& pipe) {
    wolfSSL_CTX_SetIORecv(context.get(), take);
    wolfSSL_CTX_SetIOSend(context.get(), give);
    Session session(wolfSSL_new(context.get()));
    wolfSSL_SetIOReadCtx(session.get(), &pipe);
    wolfSSL_SetIOWriteCtx(session.get(), &pipe);
    return session;
  }

  int connect() {
    const int done = wolfSSL_connect(client_.get());
    return done == WOLFSSL_SUCCESS ? 0 : wolfSSL_get_error(client_.get(), done);
  }
  int accept() {
    const int done = wolfSSL_accept(server_.get());
    return done == WOLFSSL_SUCCESS ? 0 : wolfSSL_get_error(server_.get(), done);
  }

  Wire to_client_;
  Wire to_server_;
  Pipe server_pipe_{&to_server_, &to_client_};
  Pipe client_pipe_{&to_client_, &to_server_};
  Context server_context_;
  Context client_context_;
  Session server_;
  Session client_;
};

TEST_F(ClientRepair, OrderlyHandshakeCompletes) {
  for (int round = 0; round < 6; ++round) {
    connect();
    accept();
  }
  EXPECT_EQ(connect(), 0);
  EXPECT_EQ(accept(), 0);
}

TEST_F(ClientRepair, ResumedHandshakeCompletes) {
  for (int round = 0; round < 6; ++round) {
    connect();
    accept();
  }
  ASSERT_EQ(connect(), 0);
  WOLFSSL_SESSION* earlier = wolfSSL_get1_session(client_.get());
  ASSERT_NE(earlier, nullptr);
  to_client_.clear();
  to_server_.clear();
  server_ = open(server_context_, server_pipe_);
  client_ = open(client_context_, client_pipe_);
  ASSERT_EQ(wolfSSL_set_session(client_.get(), earlier), WOLFSSL_SUCCESS);
  for (int round = 0; round < 6; ++round) {
    connect();
    accept();
  }
  EXPECT_EQ(connect(), 0);
  EXPECT_EQ(wolfSSL_session_reused(client_.get()), 1);
  wolfSSL_SESSION_free(earlier);
}

}  // namespace
