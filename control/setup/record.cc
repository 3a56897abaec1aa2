#include "control/setup/record.h"

#include <algorithm>
#include <optional>
#include <span>

#include "policy/base/mtu.h"

namespace sallyport::setup {
namespace {

using wire::SetupOp;
using wire::SetupRequest;

// Which fields an operation reads; every other field must be zero.
enum Field : unsigned {
  kNone = 0,
  kSegment = 1,
  kInterface = 2,
  kAddress = 4,
  kMac = 8,
  kLength = 16,
  kSocket = 32,
  kValue = 64,
  kMtu = 128
};

std::optional<unsigned> fields_of(SetupOp op) {
  switch (op) {
    case SetupOp::kHello:
    case SetupOp::kOpenRing:
      return kNone;
    case SetupOp::kSegmentCreate:
      return kSegment | kMac;
    case SetupOp::kSegmentDelete:
    case SetupOp::kTapOpen:
      return kSegment;
    case SetupOp::kAddressAdd:
    case SetupOp::kAddressDelete:
      return kSegment | kAddress | kLength;
    case SetupOp::kNeighbourSet:
      return kSegment | kAddress | kMac;
    case SetupOp::kNeighbourDelete:
    case SetupOp::kRouteDefaultSet:
    case SetupOp::kRouteDefaultDelete:
      return kSegment | kAddress;
    case SetupOp::kPortTake:
    case SetupOp::kPortUp:
    case SetupOp::kPortDown:
    case SetupOp::kPortRelease:
      return kInterface;
    case SetupOp::kOpenSocket:
      return kSegment | kSocket;
    case SetupOp::kSegmentList:
      return kValue;
    case SetupOp::kMtuSet:
      return kSegment | kMtu;
    case SetupOp::kRouteLocalAdd:
      return std::nullopt;
  }
  return std::nullopt;
}

bool all_zero(std::span<const std::uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

// The text before the first NUL, if there is one and nothing follows it.
std::optional<std::string_view> padded_text(std::span<const char> field) {
  const auto end = std::ranges::find(field, '\0');
  if (end == field.end() || std::any_of(end, field.end(), [](char c) { return c != '\0'; }))
    return std::nullopt;
  return std::string_view(field.data(), static_cast<std::size_t>(end - field.begin()));
}

bool is_word(std::string_view text, std::size_t longest, std::string_view also) {
  if (text.empty() || text.size() > longest) return false;
  return std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.contains(c);
  });
}

// The name of the first field that makes no sense, or nothing. `fields` as fields_of().
std::optional<std::string> first_wrong_field(const SetupRequest& record, unsigned fields,
                                             Request& out) {
  const auto name = padded_text(record.name);
  if (!name) return "name";
  out.name = *name;
  if ((fields & kSegment) != 0     ? !is_segment_name(*name)
      : (fields & kInterface) != 0 ? !is_interface_name(*name)
                                   : !name->empty())
    return "name";
  out.address = IpAddress::v6(record.address);
  out.mac = MacAddress(record.mac);
  out.prefix_length = record.prefix_length;
  out.value = record.value;
  if ((fields & kAddress) == 0 && !all_zero(record.address)) return "address";
  const bool for_family_only = out.op == SetupOp::kRouteDefaultDelete;
  if ((fields & kAddress) != 0 && !for_family_only &&
      (out.address.is_unspecified() || out.address.is_multicast() || out.address.is_loopback()))
    return "address";
  if ((fields & kMac) != 0 ? out.mac.is_zero() || out.mac.is_group() : !out.mac.is_zero())
    return "mac";
  const unsigned longest = out.address.is_v4() ? 32 : 128;
  if ((fields & kLength) != 0 ? out.prefix_length == 0 || out.prefix_length > longest
                              : out.prefix_length != 0)
    return "prefix_length";
  if ((fields & kSocket) != 0 ? record.family != 4 && record.family != 6 : record.family != 0)
    return "family";
  if ((fields & kSocket) != 0 ? record.socket_type != 1 && record.socket_type != 2
                              : record.socket_type != 0)
    return "socket_type";
  out.family = record.family == 6 ? IpVersion::k6 : IpVersion::k4;
  out.stream = record.socket_type == 1;
  if ((fields & kMtu) != 0 ? record.value < kLeastMtu || record.value > kMostMtu
                           : (fields & kValue) == 0 && record.value != 0)
    return "value";
  if (!all_zero(record.reserved) || !all_zero(record.reserved2)) return "reserved";
  return std::nullopt;
}

}  // namespace

bool Clients::may(uid_t uid, SetupOp op) const {
  if (op == SetupOp::kHello || op == SetupOp::kOpenRing) return known(uid);
  if (op == SetupOp::kOpenSocket) return uid == terminator;
  return uid == control;
}

bool is_segment_name(std::string_view name) {
  return is_word(name, 15, "-") && name[0] != '-' && name != "ports";
}

bool is_interface_name(std::string_view name) {
  return is_word(name, 15, "-._ABCDEFGHIJKLMNOPQRSTUVWXYZ") && name[0] != '-' && name[0] != '.' &&
         name != "lo";
}

bool is_prefix(std::string_view prefix) { return is_word(prefix, 32, "-") && prefix[0] != '-'; }

std::expected<Request, Refusal> check_record(ConstBytes bytes, uid_t sender,
                                             const Clients& clients) {
  const auto refuse = [](Severity severity, SetupOp op, std::string what) {
    return std::unexpected(Refusal{severity, op, std::move(what)});
  };
  if (!clients.known(sender)) return refuse(Severity::kClose, SetupOp::kHello, "sender");
  Cursor cursor(bytes);
  const auto record = cursor.object<SetupRequest>();
  if (!record || !cursor.empty()) return refuse(Severity::kClose, SetupOp::kHello, "size");
  if (record->magic != wire::kSetupMagic) return refuse(Severity::kClose, record->op, "magic");
  if (record->version != wire::kSetupVersion)
    return refuse(Severity::kClose, record->op, "version");
  const auto fields = fields_of(record->op);
  if (!fields) return refuse(Severity::kClose, record->op, "operation");
  if (!clients.may(sender, record->op))
    return refuse(Severity::kClose, record->op, "operation is not for this sender");
  Request out;
  out.op = record->op;
  if (auto wrong = first_wrong_field(*record, *fields, out))
    return refuse(Severity::kAnswer, record->op, std::move(*wrong));
  return out;
}

}  // namespace sallyport::setup
