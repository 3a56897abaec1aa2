#include "control/cli/watch.h"

#include <csignal>
#include <thread>

namespace sallyport::control {
namespace {

constexpr auto kBetweenReads = std::chrono::milliseconds(100);

volatile sig_atomic_t interrupted = 0;

void on_signal(int /*number*/) { interrupted = 1; }

// Ctrl-C and its like end what is watched, not this program: what was seen until then is shown, and
// the dataplane is told. A reader that goes away (head, tcpdump -c) shows as a failing write.
void heed_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

}  // namespace

Result<Watched> watch(const Client& client, const OrderedJson& start, double seconds,
                      const std::function<Result<bool>(const Reply& part)>& take) {
  heed_signals();
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
  while (more && interrupted == 0 && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kBetweenReads);
    SALLYPORT_TRY(more, read("capture-read"));
  }
  SALLYPORT_TRY(more, read("capture-stop"));
  return seen;
}

}  // namespace sallyport::control
