#include "policy/os/envelope.h"

#include <gtest/gtest.h>

#include <random>

#include "policy/os/memfd.h"

namespace sallyport::os {
namespace {

ConstBytes view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Envelope, EachMessageComesBackAsItWas) {
  const std::vector<PortSpec> ports = {{0, "wan", "net_af_xdp0,iface=eth0"}, {7, "lan1", "x"}};
  const Bytes configure = encode_configure(3, ports);
  const auto decoded = decode(configure);
  ASSERT_TRUE(decoded);
  EXPECT_EQ((*decoded)->id(), 3U);
  const wire::Configure* body = (*decoded)->body_as_Configure();
  ASSERT_TRUE(body != nullptr && body->ports()->size() == 2);
  EXPECT_EQ(body->ports()->Get(1)->slot(), 7);
  EXPECT_EQ(body->ports()->Get(0)->device()->str(), "net_af_xdp0,iface=eth0");

  const Bytes tap = encode_attach_tap(4, 2, "field", true);
  ASSERT_TRUE(decode(tap));
  EXPECT_TRUE((*decode(tap))->body_as_AttachTap()->detach());
  const Bytes apply = encode_apply(5, 17, wire::Phase::Commit);
  ASSERT_TRUE(decode(apply));
  EXPECT_EQ((*decode(apply))->body_as_Apply()->revision(), 17U);
  EXPECT_EQ((*decode(apply))->body_as_Apply()->phase(), wire::Phase::Commit);
  const Bytes ring = encode_attach_ring(6, 9);
  ASSERT_TRUE(decode(ring));
  EXPECT_EQ((*decode(ring))->body_as_AttachRing()->generation(), 9U);
  const Bytes event = encode_event("stolen-identity", "{}");
  ASSERT_TRUE(decode(event));
  EXPECT_EQ((*decode(event))->id(), 0U);
  EXPECT_EQ((*decode(event))->body_as_Event()->kind()->str(), "stolen-identity");
}

TEST(Envelope, ArgumentsAreFoundByWholeName) {
  const std::vector<std::string> arguments = {"port=1", "portal=2", "empty=", "flag"};
  const Bytes bytes = encode_query(1, "flows", arguments);
  const auto decoded = decode(bytes);
  ASSERT_TRUE(decoded);
  const wire::Query& query = *(*decoded)->body_as_Query();
  EXPECT_EQ(argument(query, "port"), "1");
  EXPECT_EQ(argument(query, "portal"), "2");
  EXPECT_EQ(argument(query, "empty"), "");
  EXPECT_EQ(argument(query, "flag"), "");
  EXPECT_EQ(argument(query, "absent"), "");
}

TEST(Envelope, AcknowledgementsCarryTheRefusal) {
  const Bytes yes = encode_ack(1, 5, {});
  EXPECT_TRUE(outcome_of(**decode(yes)));
  const Bytes no = encode_ack(1, 5, fail(ErrorKind::kInvalid, "snapshot-bad-digest", "why"));
  const auto outcome = outcome_of(**decode(no));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, "snapshot-bad-digest");
  EXPECT_EQ(outcome.error().context, "why");
  const Bytes neither = encode_apply(1, 1, wire::Phase::Prepare);
  EXPECT_EQ(outcome_of(**decode(neither)).error().code, "message-unexpected");
}

TEST(Envelope, LargeAnswersTravelInSealedMemory) {
  for (std::size_t size :
       {std::size_t{0}, kLargestInlineJson, kLargestInlineJson + 1, std::size_t{3} << 20}) {
    const std::string json(size, 'j');
    auto message = encode_answer(8, json);
    ASSERT_TRUE(message) << size;
    EXPECT_LE(message->bytes.size(), kMaxMessageSize);
    EXPECT_EQ(message->descriptors.empty(), size <= kLargestInlineJson) << size;
    auto pair = socket_pair();
    ASSERT_TRUE(pair && send(pair->first.get(), *message));
    const auto received = receive_datagram(pair->second.get());
    ASSERT_TRUE(received && *received);
    const auto decoded = decode((*received)->bytes);
    ASSERT_TRUE(decoded);
    const auto back = json_of(**decoded, (*received)->descriptors);
    ASSERT_TRUE(back) << size;
    EXPECT_EQ(*back, json);
  }
}

TEST(Envelope, AttachedAnswerIsNotBelieved) {
  auto message = encode_answer(8, std::string(kLargestInlineJson + 1, 'j'));
  ASSERT_TRUE(message);
  const auto decoded = decode(message->bytes);
  EXPECT_FALSE(json_of(**decoded, {})) << "memory is missing";
  std::vector<UniqueFd> unsealed;
  unsealed.push_back(std::move(*make_shared("test", 4096)));
  EXPECT_EQ(json_of(**decoded, unsealed).error().code, "memfd-not-sealed");
}

TEST(Envelope, AnswerErrorsAreErrors) {
  const Bytes bytes = encode_answer_error(2, {ErrorKind::kNotFound, "no-such-flow", "x"});
  EXPECT_EQ(json_of(**decode(bytes), {}).error().code, "no-such-flow");
}

TEST(Envelope, EveryTruncationIsRefused) {
  const Bytes whole = encode_query(1, "explain", std::vector<std::string>{"a=b", "c=d"});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto decoded = decode(part);
    ASSERT_FALSE(decoded) << size;
    EXPECT_EQ(decoded.error().code, "message-malformed");
  }
}

TEST(Envelope, AnotherIdentifierOrNoBodyIsRefused) {
  Bytes bytes = encode_apply(1, 1, wire::Phase::Prepare);
  bytes[4] ^= 1;  // the file identifier follows the root offset
  EXPECT_FALSE(decode(bytes));
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(wire::CreateEnvelope(builder, 1), wire::EnvelopeIdentifier());
  const Bytes empty(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  EXPECT_FALSE(decode(empty));
}

TEST(Envelope, UnknownBodyIsRefused) {
  flatbuffers::FlatBufferBuilder builder;
  const auto body = wire::CreateAttachRing(builder, 1);
  constexpr auto kUnknown = static_cast<wire::Body>(static_cast<int>(wire::Body::MAX) + 1);
  builder.Finish(wire::CreateEnvelope(builder, 1, kUnknown, body.Union()),
                 wire::EnvelopeIdentifier());
  const Bytes bytes(builder.GetBufferPointer(), builder.GetBufferPointer() + builder.GetSize());
  EXPECT_FALSE(decode(bytes));
}

TEST(Envelope, FlippedBytesNeverReachOutside) {
  const Bytes whole = encode_configure(3, std::vector<PortSpec>{{0, "wan", "a"}, {1, "lan", "b"}});
  std::mt19937 random(7);  // fixed seed; the sanitizers judge
  for (int round = 0; round < 20000; ++round) {
    Bytes bytes = whole;
    for (int flips = 0; flips < 3; ++flips)
      bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
    const auto decoded = decode(bytes);
    if (!decoded) continue;
    const wire::Configure* body = (*decoded)->body_as_Configure();
    if (body == nullptr || body->ports() == nullptr) continue;
    for (const wire::PortSpec* port : *body->ports())
      EXPECT_LE(port->name()->size() + port->device()->size(), bytes.size());
  }
}

TEST(Envelope, AnOversizedMessageIsRefused) {
  const Bytes bytes = encode_event("kind", std::string(kMaxMessageSize, 'x'));
  EXPECT_FALSE(decode(bytes));
  EXPECT_FALSE(decode(view("")));
}

}  // namespace
}  // namespace sallyport::os
