#include "control/setup/record.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <vector>

namespace sallyport::setup {
namespace {

using wire::SetupOp;
using wire::SetupRequest;

constexpr uid_t kControl = 1001;
constexpr uid_t kTerminator = 1002;
constexpr Clients kClients = {kControl, kTerminator};

ConstBytes bytes_of(const SetupRequest& record) {
  return {reinterpret_cast<const std::uint8_t*>(&record), sizeof(record)};
}

void set_name(SetupRequest& record, std::string_view name) {
  record.name = {};
  std::memcpy(record.name.data(), name.data(), name.size());
}

// A good record of each kind.
SetupRequest good(SetupOp op) {
  SetupRequest out;
  out.op = op;
  const bool on_port = op == SetupOp::kPortTake || op == SetupOp::kPortUp ||
                       op == SetupOp::kPortDown || op == SetupOp::kPortRelease;
  const bool nameless =
      op == SetupOp::kHello || op == SetupOp::kOpenRing || op == SetupOp::kSegmentList;
  if (on_port) set_name(out, "eth1");
  if (!on_port && !nameless) set_name(out, "field");
  const bool with_length = op == SetupOp::kAddressAdd || op == SetupOp::kAddressDelete;
  const bool with_address = with_length || op == SetupOp::kNeighbourSet ||
                            op == SetupOp::kNeighbourDelete || op == SetupOp::kRouteDefaultSet ||
                            op == SetupOp::kRouteDefaultDelete;
  if (with_address) out.address = IpAddress::parse("10.20.0.1")->bytes();
  if (with_length) out.prefix_length = 24;
  if (op == SetupOp::kSegmentCreate || op == SetupOp::kNeighbourSet)
    out.mac = {2, 0, 0, 0, 0x20, 1};
  if (op == SetupOp::kMtuSet) out.value = 1400;
  if (op == SetupOp::kOpenSocket) {
    out.family = 4;
    out.socket_type = 1;
  }
  return out;
}

constexpr SetupOp kLastOp = SetupOp::kMtuSet;
std::vector<SetupOp> all_operations() {
  std::vector<SetupOp> out;
  for (unsigned op = 0; op <= static_cast<unsigned>(kLastOp); ++op) {
    if (static_cast<SetupOp>(op) != SetupOp::kRouteLocalAdd)
      out.push_back(static_cast<SetupOp>(op));
  }
  return out;
}

TEST(SetupRecord, EachSenderMayAskForItsOwnOperationsOnly) {
  for (SetupOp op : all_operations()) {
    SCOPED_TRACE(static_cast<int>(op));
    const SetupRequest record = good(op);
    const bool for_both = op == SetupOp::kHello || op == SetupOp::kOpenRing;
    const bool for_terminator = for_both || op == SetupOp::kOpenSocket;
    const bool for_control = for_both || op != SetupOp::kOpenSocket;
    EXPECT_EQ(check_record(bytes_of(record), kControl, kClients).has_value(), for_control);
    EXPECT_EQ(check_record(bytes_of(record), kTerminator, kClients).has_value(), for_terminator);
    const auto stranger = check_record(bytes_of(record), 0, kClients);
    ASSERT_FALSE(stranger);
    EXPECT_EQ(stranger.error().severity, Severity::kClose);
  }
}

TEST(SetupRecord, AForbiddenOperationEndsTheConnection) {
  const auto refused = check_record(bytes_of(good(SetupOp::kSegmentCreate)), kTerminator, kClients);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().severity, Severity::kClose);
}

TEST(SetupRecord, FieldsComeThrough) {
  const auto request = check_record(bytes_of(good(SetupOp::kAddressAdd)), kControl, kClients);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->name, "field");
  EXPECT_EQ(request->address, IpAddress::parse("10.20.0.1"));
  EXPECT_EQ(request->prefix_length, 24U);
  const auto socket = check_record(bytes_of(good(SetupOp::kOpenSocket)), kTerminator, kClients);
  ASSERT_TRUE(socket);
  EXPECT_TRUE(socket->stream);
  EXPECT_EQ(socket->family, IpVersion::k4);
}

TEST(SetupRecord, EveryOtherSizeEndsTheConnection) {
  std::vector<std::uint8_t> bytes(sizeof(SetupRequest) + 1);
  const SetupRequest record = good(SetupOp::kHello);
  std::memcpy(bytes.data(), &record, sizeof(record));
  for (std::size_t size = 0; size <= bytes.size(); ++size) {
    const auto outcome = check_record({bytes.data(), size}, kControl, kClients);
    EXPECT_EQ(outcome.has_value(), size == sizeof(SetupRequest)) << size;
    if (!outcome) {
      EXPECT_EQ(outcome.error().severity, Severity::kClose) << size;
    }
  }
}

TEST(SetupRecord, AnotherMagicVersionOrOperationEndsTheConnection) {
  const std::vector<std::pair<std::string, std::function<void(SetupRequest&)>>> cases = {
      {"magic", [](SetupRequest& r) { r.magic ^= 1; }},
      {"version", [](SetupRequest& r) { ++r.version; }},
      {"operation", [](SetupRequest& r) { r.op = SetupOp::kRouteLocalAdd; }},
      {"operation", [](SetupRequest& r) { r.op = static_cast<SetupOp>(19); }},
      {"operation", [](SetupRequest& r) { r.op = static_cast<SetupOp>(0xffff); }},
  };
  for (const auto& [what, spoil] : cases) {
    SetupRequest record = good(SetupOp::kHello);
    spoil(record);
    const auto outcome = check_record(bytes_of(record), kControl, kClients);
    ASSERT_FALSE(outcome) << what;
    EXPECT_EQ(outcome.error().what, what);
    EXPECT_EQ(outcome.error().severity, Severity::kClose) << what;
  }
}

struct WrongField {
  std::string name;
  SetupOp op;
  std::function<void(SetupRequest&)> spoil;
  std::string field;
};

TEST(SetupRecord, AFieldOutOfRangeIsNamed) {
  const auto named = [](std::string_view name) {
    return [name](SetupRequest& r) { set_name(r, name); };
  };
  const auto addressed = [](std::string_view address) {
    return [address](SetupRequest& r) { r.address = IpAddress::parse(address)->bytes(); };
  };
  const std::vector<WrongField> cases = {
      {"empty segment", SetupOp::kSegmentCreate, named(""), "name"},
      {"path in segment", SetupOp::kSegmentCreate, named("../x"), "name"},
      {"slash in segment", SetupOp::kSegmentCreate, named("a/b"), "name"},
      {"upper case segment", SetupOp::kSegmentCreate, named("Field"), "name"},
      {"segment called ports", SetupOp::kSegmentDelete, named("ports"), "name"},
      {"segment opens with a dash", SetupOp::kTapOpen, named("-a"), "name"},
      {"bytes after the NUL", SetupOp::kTapOpen, [](SetupRequest& r) { r.name[10] = 'x'; }, "name"},
      {"no NUL", SetupOp::kTapOpen, [](SetupRequest& r) { r.name.fill('a'); }, "name"},
      {"a name where none belongs", SetupOp::kHello, named("field"), "name"},
      {"loopback as port", SetupOp::kPortTake, named("lo"), "name"},
      {"path as port", SetupOp::kPortTake, named(".."), "name"},
      {"slash in port", SetupOp::kPortTake, named("a/b"), "name"},
      {"blank in port", SetupOp::kPortUp, named("a b"), "name"},
      {"multicast address", SetupOp::kAddressAdd, addressed("224.0.0.1"), "address"},
      {"loopback address", SetupOp::kAddressAdd, addressed("127.0.0.1"), "address"},
      {"IPv6 loopback address", SetupOp::kAddressAdd, addressed("::1"), "address"},
      {"unspecified address", SetupOp::kNeighbourSet, addressed("::"), "address"},
      {"unspecified gateway", SetupOp::kRouteDefaultSet, addressed("0.0.0.0"), "address"},
      {"an address where none belongs", SetupOp::kTapOpen, addressed("10.0.0.1"), "address"},
      {"IPv4 prefix of 33", SetupOp::kAddressAdd, [](SetupRequest& r) { r.prefix_length = 33; },
       "prefix_length"},
      {"prefix of 0", SetupOp::kAddressAdd, [](SetupRequest& r) { r.prefix_length = 0; },
       "prefix_length"},
      {"IPv6 prefix of 129", SetupOp::kAddressAdd,
       [](SetupRequest& r) {
         r.address = IpAddress::parse("fd00::1")->bytes();
         r.prefix_length = 129;
       },
       "prefix_length"},
      {"zero MAC", SetupOp::kSegmentCreate, [](SetupRequest& r) { r.mac = {}; }, "mac"},
      {"group MAC", SetupOp::kNeighbourSet, [](SetupRequest& r) { r.mac[0] = 3; }, "mac"},
      {"a MAC where none belongs", SetupOp::kTapOpen, [](SetupRequest& r) { r.mac[5] = 1; }, "mac"},
      {"family 5", SetupOp::kOpenSocket, [](SetupRequest& r) { r.family = 5; }, "family"},
      {"family where none belongs", SetupOp::kTapOpen, [](SetupRequest& r) { r.family = 4; },
       "family"},
      {"raw socket", SetupOp::kOpenSocket, [](SetupRequest& r) { r.socket_type = 3; },
       "socket_type"},
      {"value where none belongs", SetupOp::kHello, [](SetupRequest& r) { r.value = 1; }, "value"},
      {"no MTU", SetupOp::kMtuSet, [](SetupRequest& r) { r.value = 0; }, "value"},
      {"MTU of 1279", SetupOp::kMtuSet, [](SetupRequest& r) { r.value = 1279; }, "value"},
      {"MTU of 1501", SetupOp::kMtuSet, [](SetupRequest& r) { r.value = 1501; }, "value"},
      {"reserved", SetupOp::kHello, [](SetupRequest& r) { r.reserved[2] = 1; }, "reserved"},
      {"reserved2", SetupOp::kHello, [](SetupRequest& r) { r.reserved2[7] = 1; }, "reserved"},
  };
  for (const WrongField& wrong : cases) {
    SetupRequest record = good(wrong.op);
    wrong.spoil(record);
    const uid_t sender = wrong.op == SetupOp::kOpenSocket ? kTerminator : kControl;
    const auto outcome = check_record(bytes_of(record), sender, kClients);
    ASSERT_FALSE(outcome) << wrong.name;
    EXPECT_EQ(outcome.error().what, wrong.field) << wrong.name;
    EXPECT_EQ(outcome.error().severity, Severity::kAnswer) << wrong.name;
  }
}

TEST(SetupRecord, DefaultRouteIsDeletedByVersionAlone) {
  SetupRequest record = good(SetupOp::kRouteDefaultDelete);
  record.address = IpAddress::parse("::")->bytes();
  const auto request = check_record(bytes_of(record), kControl, kClients);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->address.version(), IpVersion::k6);
}

TEST(SetupRecord, PrefixesAreWordsOfANamespaceName) {
  for (const char* ok : {"sp-", "a", "t12-"}) EXPECT_TRUE(is_prefix(ok)) << ok;
  for (const char* bad : {"", "-", "a/", "..", "A", "123456789012345678901234567890123"})
    EXPECT_FALSE(is_prefix(bad)) << bad;
}

}  // namespace
}  // namespace sallyport::setup
