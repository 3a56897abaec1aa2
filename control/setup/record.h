// From 64 received bytes to an operation that may be done: everything that is checked before setup
// touches the kernel. Two kinds of refusal: kClose, when the record is not one of ours or its
// sender may not ask for this (the connection ends), and kAnswer, when a field makes no sense (the
// sender gets EINVAL and the field's name).
//
// Pure; any thread. Trust: the bytes come from another process and are hostile. Source:
// policy/wire/setup_protocol.h.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <string>

#include "policy/base/bytes.h"
#include "policy/base/net.h"
#include "policy/wire/setup_protocol.h"

namespace sallyport::setup {

// Whom setup serves; they may be the same user (in tests).
struct Clients {
  uid_t control = static_cast<uid_t>(-1);
  uid_t terminator = static_cast<uid_t>(-1);
  bool known(uid_t uid) const { return uid == control || uid == terminator; }
  bool may(uid_t uid, wire::SetupOp op) const;
};

// A record whose fields are all in range for its operation. Fields that the operation does not use
// were zero.
struct Request {
  wire::SetupOp op = wire::SetupOp::kHello;
  std::string name;  // a segment's or a kernel interface's, as the operation wants it
  IpAddress address;
  MacAddress mac;
  unsigned prefix_length = 0;
  IpVersion family = IpVersion::k4;
  bool stream = false;
  std::uint32_t value = 0;
};

enum class Severity : std::uint8_t { kClose, kAnswer };
struct Refusal {
  Severity severity = Severity::kClose;
  wire::SetupOp op = wire::SetupOp::kHello;
  std::string what;
};

std::expected<Request, Refusal> check_record(ConstBytes bytes, uid_t sender,
                                             const Clients& clients);

// 1 to 15 of [a-z0-9-], not opening with '-', not "ports" (that namespace is not a segment's).
bool is_segment_name(std::string_view name);
// 1 to 15 of [A-Za-z0-9._-], not opening with '.' or '-', not "lo".
bool is_interface_name(std::string_view name);
// 1 to 32 of [a-z0-9-], not opening with '-'.
bool is_prefix(std::string_view prefix);

}  // namespace sallyport::setup
