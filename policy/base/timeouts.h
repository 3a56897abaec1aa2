// For how long a flow may be silent, by what it is: the protocol's usual time, and within which
// bounds a conduit may say another one (`timeouts:`). In seconds.
//
// Pure and constexpr. Rationale: below `least` a lost packet's repetition would come too late;
// above `most` a snapshot's sixteen bits end, or nothing is left of the bound.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "policy/base/net.h"

namespace sallyport {

enum class TimeoutClass : std::uint8_t { kEstablished, kTransitory, kHalfOpen, kUdp, kIcmp };

struct TimeoutInfo {
  std::string_view name;  // the configuration's
  IpProtocol protocol;    // kIcmp stands for both versions' echo
  std::uint32_t usual_s;  // when the conduit says nothing
  std::uint32_t least_s;
  std::uint32_t most_s;
  std::uint32_t advised_s;  // less is allowed, with a warning; 0: no RFC asks for more
  std::string_view advised_by;
  std::string_view help;
};

// By TimeoutClass. `half-open` is shorter than RFC 5382 REQ-5 asks for, which RFC 7857 §2.1 allows:
// it costs an attacker one SYN, and a retransmission renews it.
inline constexpr auto kTimeouts = std::to_array<TimeoutInfo>({
    {"established", IpProtocol::kTcp, 7'440, 10, 64'800, 7'440, "RFC 5382 REQ-5",
     "a TCP connection that both sides agreed to; of a terminated conduit: a conversation, which "
     "without a word may be silent for an hour"},
    {"transitory", IpProtocol::kTcp, 240, 10, 3'600, 240, "RFC 5382 REQ-5",
     "one that a side has ended; once both have, at most two minutes. Of a terminated conduit: "
     "half "
     "of a conversation, without a word two minutes"},
    {"half-open", IpProtocol::kTcp, 30, 5, 600, 0, "", "one that a side has asked for"},
    {"udp", IpProtocol::kUdp, 300, 5, 64'800, 120, "RFC 4787 REQ-5", "datagrams of two endpoints"},
    {"icmp", IpProtocol::kIcmp, 60, 5, 3'600, 60, "RFC 5508 REQ-2", "echoes of one identifier"},
});
inline constexpr std::size_t kTimeoutClasses = kTimeouts.size();
static_assert(kTimeoutClasses == static_cast<std::size_t>(TimeoutClass::kIcmp) + 1);

constexpr const TimeoutInfo& timeout_info(TimeoutClass of) {
  return kTimeouts[static_cast<std::size_t>(of)];
}
constexpr bool applies(const TimeoutInfo& timeout, IpProtocol protocol) {
  return timeout.protocol == (protocol == IpProtocol::kIcmp6 ? IpProtocol::kIcmp : protocol);
}

// How much longer than the terminator's conversation its two flows live: who ends it tells both
// peers, and must still find a way to them.
inline constexpr std::uint32_t kConversationEndsFirst_s = 10;

// "90s", "15m", "2h": in the largest unit that leaves nothing over.
inline std::string duration_text(std::uint32_t seconds) {
  if (seconds != 0 && seconds % 3'600 == 0) return std::to_string(seconds / 3'600) + "h";
  if (seconds != 0 && seconds % 60 == 0) return std::to_string(seconds / 60) + "m";
  return std::to_string(seconds) + "s";
}

}  // namespace sallyport
