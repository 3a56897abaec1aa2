#include "control/cli/watch.h"

#include <chrono>

#include "control/cli/interrupt.h"

namespace sallyport::control {
namespace {

constexpr auto kBetweenReads = std::chrono::milliseconds(100);

}  // namespace

Result<Watched> watch(const Client& client, const OrderedJson& start, double seconds,
                      const std::function<Result<bool>(const Reply& part)>& take) {
  heed_interrupts();
  SALLYPORT_TRY(const Reply started, client.ask(start));
  const std::string id = std::to_string(started.result.value("capture", std::uint64_t{0}));
  Watched seen;
  const auto read = [&](const char* what) -> Result<bool> {
    SALLYPORT_TRY(const Reply part,
                  client.ask({{"op", "query"}, {"what", what}, {"arguments", {"capture=" + id}}}));
    seen.packets += part.result.value("packets", std::uint64_t{0});
    seen.missed += part.result.value("missed", std::uint64_t{0});
    return take(part);
  };
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  bool more = true;
  while (more && std::chrono::steady_clock::now() < end && pause(kBetweenReads)) {
    SALLYPORT_TRY(more, read("capture-read"));
  }
  SALLYPORT_TRY(more, read("capture-stop"));
  return seen;
}

}  // namespace sallyport::control
