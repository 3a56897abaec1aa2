// What the handshake watch sees and does not, message by message.
#include <gtest/gtest.h>

#include <array>
#include <string>

#include "tls-termination/wolfssl/handshake_watch.h"

namespace sallyport::terminator {
namespace {

using namespace std::string_literals;

std::string size2(std::size_t size) {
  return {static_cast<char>(size >> 8), static_cast<char>(size & 0xff)};
}
std::string record(char type, const std::string& body) {
  return std::string{type, 3, 3} + size2(body.size()) + body;
}
std::string message(char type, const std::string& body) {
  return std::string{type, 0} + size2(body.size()) + body;
}
std::string extension(std::uint16_t type, const std::string& body) {
  return size2(type) + size2(body.size()) + body;
}
std::string client_hello(const std::string& name) {
  const std::string entry = "\x00"s + size2(name.size()) + name;
  const std::string extensions = extension(0, size2(entry.size()) + entry);
  return message(1, "\x03\x03"s + std::string(32, 'r') + "\x00\x00\x02\x13\x01\x01\x00"s +
                        size2(extensions.size()) + extensions);
}
std::string server_hello(const std::string& extensions) {
  return message(2, "\x03\x03"s + std::string(32, 'r') + "\x00\xc0\x2b\x00"s +
                        size2(extensions.size()) + extensions);
}
const std::string kTls13 = extension(43, "\x03\x04"s);
const std::string kMasterSecret = extension(23, "");
std::string key_exchange(std::uint16_t scheme) {
  return message(12, "\x03\x00\x17\x01p"s + size2(scheme) + "\x00\x02ss"s);
}

ConstBytes bytes(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

constexpr char kChangeCipherSpec = 20;
constexpr char kAlert = 21;
constexpr char kHandshake = 22;
constexpr char kData = 23;

class AtAListener : public ::testing::Test {
 protected:
  bool received(const std::string& text) { return watch_.received(bytes(text)); }
  void sent(const std::string& text) {
    const auto verdict = watch_.sending(bytes(text));
    EXPECT_EQ(text.size(), verdict.pass);
    watch_.sent(verdict.pass);
  }
  HandshakeWatch watch_{[](std::string_view name) { return name == "gw.example"; }};
};

TEST_F(AtAListener, NameOfAnotherIsRefused) {
  EXPECT_TRUE(received(record(kHandshake, client_hello("gw.example"))));
  EXPECT_FALSE(received(record(kHandshake, client_hello("other.example"))));
  EXPECT_NE(std::string::npos, watch_.fault().find("other.example"));
}

TEST_F(AtAListener, NothingInFrontOfTheHelloHidesIt) {
  for (const std::string& first :
       {record(kData, "early"), record(kChangeCipherSpec, "\x01"), record(kAlert, "\x01\x5a"),
        record(kHandshake, ""), record(24, "beat")}) {
    HandshakeWatch watch([](std::string_view name) { return name == "gw.example"; });
    EXPECT_TRUE(watch.received(bytes(first)));
    EXPECT_FALSE(watch.received(bytes(record(kHandshake, client_hello("other.example")))));
  }
}

TEST_F(AtAListener, SecondHelloIsJudgedLikeTheFirst) {
  ASSERT_TRUE(received(record(kHandshake, client_hello("gw.example"))));
  sent(record(kHandshake, server_hello(kTls13)));  // a HelloRetryRequest has the same form
  ASSERT_TRUE(received(record(kChangeCipherSpec, "\x01")));
  ASSERT_TRUE(received(record(kData, "early data")));
  EXPECT_FALSE(received(record(kHandshake, client_hello("other.example"))));
}

TEST_F(AtAListener, AnswerWithoutExtendedMasterSecretDoesNotLeave) {
  ASSERT_TRUE(received(record(kHandshake, client_hello("gw.example"))));
  EXPECT_EQ(0U, watch_.sending(bytes(record(kHandshake, server_hello("")))).pass);
  EXPECT_NE(std::string::npos, watch_.fault().find("extended_master_secret"));
}

TEST_F(AtAListener, ClientsSignatureIsJudgedInTls12) {
  ASSERT_TRUE(received(record(kHandshake, client_hello("gw.example"))));
  sent(record(kHandshake, server_hello(kMasterSecret)));
  ASSERT_TRUE(received(record(kHandshake, message(15, "\x04\x03\x00\x02ss"s))));
  EXPECT_FALSE(received(record(kHandshake, message(15, "\x04\x01\x00\x02ss"s))));  // PKCS#1
}

TEST_F(AtAListener, WhatIsEncryptedInTls12IsNotTakenForMessages) {
  ASSERT_TRUE(received(record(kHandshake, client_hello("gw.example"))));
  sent(record(kHandshake, server_hello(kMasterSecret)));
  ASSERT_TRUE(received(record(kChangeCipherSpec, "\x01")));
  EXPECT_TRUE(received(record(kHandshake, client_hello("looks.like.one"))));
}

TEST_F(AtAListener, NobodyWaitsForAMessageThatIsTooLarge) {
  const std::string body = "\x10\x01\x00\x01"s;  // 65537 bytes of ClientKeyExchange
  EXPECT_FALSE(received(record(kHandshake, body)));
  HandshakeWatch other;
  EXPECT_TRUE(other.received(bytes(record(kHandshake, "\x10\x01\x00\x00"s))));
  HandshakeWatch hello;
  EXPECT_FALSE(hello.received(bytes(record(kHandshake, "\x01\x00\x40\x01"s))));
}

TEST_F(AtAListener, AlertsOfEveryKindLeaveAsOneOrNotAtAll) {
  for (const char code : {'\x0a', '\x28', '\x2a', '\x30', '\x70'}) {
    HandshakeWatch watch;
    const std::string alert = record(kAlert, {2, code});
    const auto verdict = watch.sending(bytes(alert));
    EXPECT_EQ(alert.size(), verdict.swallow);
    const std::string out(verdict.instead.begin(), verdict.instead.end());
    EXPECT_EQ(record(kAlert, "\x02\x28"), out);
  }
  // Behind data it is encrypted: nothing leaves.
  ASSERT_TRUE(received(record(kHandshake, client_hello("gw.example"))));
  sent(record(kHandshake, server_hello(kTls13)) + record(kData, std::string(100, 'e')));
  const std::string sealed = record(kData, std::string(19, 'a'));
  const auto verdict = watch_.sending(bytes(sealed));
  EXPECT_EQ(sealed.size(), verdict.swallow);
  EXPECT_TRUE(verdict.instead.empty());
}

// Leg B: the other side is the server.
TEST(TowardsAServer, ChangeCipherSpecBeforeItsHelloHidesNothing) {
  HandshakeWatch watch;
  ASSERT_TRUE(watch.received(bytes(record(kChangeCipherSpec, "\x01"))));
  EXPECT_FALSE(watch.received(bytes(record(kHandshake, server_hello("")))));
  EXPECT_NE(std::string::npos, watch.fault().find("extended_master_secret"));
}

TEST(TowardsAServer, SignatureIsJudgedInTls12WhereverItIsCut) {
  for (const std::uint16_t scheme : std::array<std::uint16_t, 2>{0x0401, 0x0403}) {
    const std::string all = record(kHandshake, server_hello(kMasterSecret) + key_exchange(scheme));
    for (std::size_t cut = 1; cut < all.size(); ++cut) {
      HandshakeWatch watch;
      const bool good =
          watch.received(bytes(all.substr(0, cut))) && watch.received(bytes(all.substr(cut)));
      ASSERT_EQ(scheme == 0x0403, good) << cut;
    }
  }
}

}  // namespace
}  // namespace sallyport::terminator
