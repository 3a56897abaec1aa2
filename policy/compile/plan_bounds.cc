// What a conduit may say in figures: times of silence and handshakes in flight.
#include <fmt/format.h>

#include "policy/compile/planner.h"

namespace sallyport::compile {

// Of timeouts that its protocol has, and of handshakes in flight. Whoever is terminated dials the
// gateway, which is no NAT to it, so no RFC asks for more than what is written.
void Planner::check_bounds(const model::Conduit& conduit) {
  if (conduit.admission.inflight > wire::kMaxInflight)
    error(conduit, "bad-admission",
          fmt::format("{} handshakes in flight are too many", conduit.admission.inflight),
          fmt::format("at most {}", wire::kMaxInflight));
  const bool direct = !conduit.terminate && !conduit.inspect.modbus;
  for (std::size_t i = 0; i < kTimeoutClasses; ++i) {
    const TimeoutInfo& info = kTimeouts[i];
    const std::uint32_t seconds = conduit.timeouts.seconds[i];
    if (seconds == 0) continue;
    if (!applies(info, conduit.service.protocol)) {
      error(conduit, "bad-timeout", fmt::format("its service has no timeout `{}`", info.name),
            "leave it out");
    } else if (seconds < info.least_s || seconds > info.most_s) {
      error(conduit, "bad-timeout",
            fmt::format("timeout `{}` of {} is out of bounds", info.name, duration_text(seconds)),
            fmt::format("write {} to {}", duration_text(info.least_s), duration_text(info.most_s)));
    } else if (direct && seconds < info.advised_s) {
      report_.warn(
          conduit.at, "timeout-short",
          fmt::format("conduit {}: `{}` of {} is less than the {} that {} asks for; who is "
                      "silent for longer is cut off without a word",
                      conduit.name, info.name, duration_text(seconds),
                      duration_text(info.advised_s), info.advised_by),
          "see that both ends say something more often");
    }
  }
}

}  // namespace sallyport::compile
