// capture: what the dataplane sees for some seconds, as pcapng with the verdict as packet comment.
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <iostream>
#include <thread>

#include "control/cli/commands.h"
#include "policy/os/memfd.h"

namespace sallyport::control {
namespace {

constexpr std::size_t kMaxCapture = std::size_t{1} << 30;
constexpr std::uint32_t kEnhancedPacketBlock = 6;  // draft-ietf-opsawg-pcapng §4.3

volatile sig_atomic_t interrupted = 0;

void on_interrupt(int) { interrupted = 1; }

struct Wanted {
  double seconds = 10;
  std::uint64_t count = 0;
  std::string file;
};

int write_out(const Context& context, const Wanted& wanted, const std::string& pcapng) {
  if (wanted.file.empty()) {
    std::cout.write(pcapng.data(), static_cast<std::streamsize>(pcapng.size()));
    std::cout.flush();
    return kExitDone;
  }
  std::ofstream file(wanted.file, std::ios::binary | std::ios::trunc);
  file.write(pcapng.data(), static_cast<std::streamsize>(pcapng.size()));
  file.flush();
  if (!file)
    return context.refuse({ErrorKind::kSystem, "cannot-write",
                           fmt::format("{}: {}", wanted.file, std::strerror(errno))});
  return kExitDone;
}

int capture(const Context& context, const Wanted& wanted) {
  if (wanted.file.empty() && isatty(STDOUT_FILENO) != 0)
    return context.refuse({ErrorKind::kUsage, "no-file",
                           "a capture is not for a terminal; write it to a file with -w FILE, or "
                           "pipe it: sallyctl capture | tcpdump -r -"});
  const auto started = context.client().ask({{"op", "query"}, {"what", "capture-start"}});
  if (!started) return context.refuse(started.error());
  struct sigaction action{};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(wanted.seconds);
  // Ctrl-C ends it early; what was seen until then is written.
  while (interrupted == 0 && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto stopped = context.client().ask({{"op", "query"}, {"what", "capture-stop"}});
  if (!stopped) return context.refuse(stopped.error());
  if (stopped->fds.empty())
    return context.refuse({ErrorKind::kRefused, "no-capture", "the dataplane sent no capture"});
  const auto memory = os::map_sealed(stopped->fds.front().get(), kMaxCapture);
  if (!memory) return context.refuse(memory.error());
  const auto bytes = memory->bytes();
  std::string pcapng(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (wanted.count != 0) pcapng = keep_packets(pcapng, wanted.count);
  if (!wanted.file.empty())
    std::cerr << stopped->result.value("packets", std::uint64_t{0}) << " packets seen, written to "
              << wanted.file << "\n";
  return write_out(context, wanted, pcapng);
}

}  // namespace

std::string keep_packets(std::string_view pcapng, std::uint64_t count) {
  std::string out;
  while (pcapng.size() >= 12) {
    std::uint32_t type = 0;
    std::uint32_t size = 0;
    std::memcpy(&type, pcapng.data(), sizeof type);
    std::memcpy(&size, pcapng.data() + 4, sizeof size);
    if (size < 12 || size > pcapng.size()) break;
    const bool packet = type == kEnhancedPacketBlock;
    if (!packet || count > 0) out += pcapng.substr(0, size);
    if (packet && count > 0) --count;
    pcapng.remove_prefix(size);
  }
  return out;
}

void add_capture(CLI::App& app, Context& context) {
  CLI::App* sub = app.add_subcommand(
      "capture", "Packets as the dataplane sees them, each with its verdict as a comment (pcapng)");
  auto wanted = std::make_shared<Wanted>();
  sub->add_option("--seconds", wanted->seconds, "how long; Ctrl-C ends it early")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  sub->add_option("--count", wanted->count, "write the first COUNT packets only");
  sub->add_option("-w,--write", wanted->file, "file to write; else standard output");
  sub->callback([&context, wanted] {
    context.command = [&context, wanted] { return capture(context, *wanted); };
  });
}

}  // namespace sallyport::control
