#include "tests/perf/storm/scenario.h"

namespace sallyport::storm {

namespace {
std::vector<Slot> offsets(std::initializer_list<double> s) {
  std::vector<Slot> out;
  for (const double at : s) out.push_back(seconds(at));
  return out;
}
}  // namespace

const std::vector<Slot>& schedule(Stack stack) {
  static const std::vector<Slot> linux_old = offsets({0, 1, 3, 7, 15, 31, 63});
  static const std::vector<Slot> linux_new = offsets({0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67});
  static const std::vector<Slot> lwip = offsets({0, 3, 6, 9, 12, 15, 18});
  static const std::vector<Slot> dtls = offsets({0, 1, 3, 7, 15, 31, 63});
  switch (stack) {
    case Stack::kLinuxOld:
      return linux_old;
    case Stack::kLinuxNew:
      return linux_new;
    case Stack::kLwip:
      return lwip;
    case Stack::kDtls:
      return dtls;
  }
  return linux_old;
}

Slot stack_gives_up(Stack stack) {
  switch (stack) {
    case Stack::kLinuxOld:
      return seconds(127);
    case Stack::kLinuxNew:
      return seconds(131);
    case Stack::kLwip:
      return seconds(18.5);
    case Stack::kDtls:
      return seconds(123);
  }
  return seconds(127);
}

const char* name(Stack stack) {
  switch (stack) {
    case Stack::kLinuxOld:
      return "linux<6.5";
    case Stack::kLinuxNew:
      return "linux>=6.5";
    case Stack::kLwip:
      return "lwip";
    case Stack::kDtls:
      return "coap-dtls";
  }
  return "?";
}

const char* name(Policy policy) {
  switch (policy) {
    case Policy::kNone:
      return "no throttle";
    case Policy::kTokenBucket:
      return "token bucket, SYN drop";
    case Policy::kNftLimit:
      return "nftables limit";
    case Policy::kReset:
      return "token bucket, RST";
    case Policy::kSynCookies:
      return "SYN cookies";
    case Policy::kHaproxy:
      return "HAProxy queue";
    case Policy::kOurs:
      return "Sallyport";
  }
  return "?";
}

const char* name(Mishap mishap) {
  switch (mishap) {
    case Mishap::kNothing:
      return "nothing";
    case Mishap::kSlowdown:
      return "capacity to a quarter";
    case Mishap::kSlowMachine:
      return "machine four times slower";
    case Mishap::kServerSilent:
      return "server silent for 15 s";
    case Mishap::kServerRefuses:
      return "server refuses for 15 s";
    case Mishap::kServerHangs:
      return "server hangs for 15 s";
    case Mishap::kGatewayReboot:
      return "gateway power-cycled";
  }
  return "?";
}

}  // namespace sallyport::storm
