// capture: what the dataplane sees, as it sees it: pcapng with the verdict as packet comment.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iostream>
#include <thread>

#include "control/cli/commands.h"
#include "policy/os/memfd.h"

namespace sallyport::control {
namespace {

constexpr std::size_t kMaxPart = std::size_t{1} << 26;
constexpr std::uint32_t kEnhancedPacketBlock = 6;  // draft-ietf-opsawg-pcapng §4.3

constexpr auto kBetweenReads = std::chrono::milliseconds(100);

volatile sig_atomic_t interrupted = 0;

void on_signal(int /*number*/) { interrupted = 1; }

// Ctrl-C and its like end the capture, not this program: what was seen until then is written, and
// the dataplane is told. A reader that goes away (head, tcpdump -c) shows as a failing write.
void heed_signals() {
  struct sigaction action{};
  action.sa_handler = on_signal;
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaction(number, &action, nullptr);
  action.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &action, nullptr);
}

struct Wanted {
  double seconds = 10;
  std::uint64_t count = 0;
  std::string file;
};

// Where the packets go, as they come.
class Sink {
 public:
  explicit Sink(const Wanted& wanted) : left_(wanted.count), counts_(wanted.count != 0) {
    if (wanted.file.empty()) return;
    file_.open(wanted.file, std::ios::binary | std::ios::trunc);
    out_ = &file_;
  }
  // False when nothing more can be written.
  bool write(std::string_view pcapng) {
    if (counts_) {
      const std::string kept = keep_packets(pcapng, left_);
      out_->write(kept.data(), static_cast<std::streamsize>(kept.size()));
    } else {
      out_->write(pcapng.data(), static_cast<std::streamsize>(pcapng.size()));
    }
    out_->flush();
    return out_->good();
  }
  bool good() const { return out_->good(); }
  // As many packets as were asked for are written.
  void count(std::uint64_t packets) { left_ -= std::min(left_, packets); }
  bool full() const { return counts_ && left_ == 0; }

 private:
  std::ofstream file_;
  std::ostream* out_ = &std::cout;
  std::uint64_t left_;
  bool counts_;
};

struct Seen {
  std::uint64_t packets = 0;
  std::uint64_t missed = 0;
};

// What came since the last time.
Result<void> read_part(const Context& context, const char* what, const std::string& capture,
                       Sink& sink, Seen& seen) {
  SALLYPORT_TRY(const Reply part,
                context.client().ask(
                    {{"op", "query"}, {"what", what}, {"arguments", {"capture=" + capture}}}));
  const auto packets = part.result.value("packets", std::uint64_t{0});
  seen.packets += packets;
  seen.missed += part.result.value("missed", std::uint64_t{0});
  if (part.fds.empty() || !sink.good() || sink.full()) return {};
  SALLYPORT_TRY(const os::Mapping memory, os::map_sealed(part.fds.front().get(), kMaxPart));
  sink.write({reinterpret_cast<const char*>(memory.bytes().data()), memory.size()});
  sink.count(packets);
  return {};
}

int capture(const Context& context, const Wanted& wanted) {
  if (wanted.file.empty() && isatty(STDOUT_FILENO) != 0)
    return context.refuse({ErrorKind::kUsage, "no-file",
                           "a capture is not for a terminal; write it to a file with -w FILE, or "
                           "pipe it: sallyctl capture | tcpdump -r -"});
  heed_signals();
  Sink sink(wanted);
  const auto cannot_write = [&] {
    return context.refuse({ErrorKind::kSystem, "cannot-write",
                           fmt::format("{}: {}", wanted.file, std::strerror(errno))});
  };
  if (!sink.good()) return cannot_write();
  const auto started = context.client().ask({{"op", "query"}, {"what", "capture-start"}});
  if (!started) return context.refuse(started.error());
  const std::string id = std::to_string(started->result.value("capture", std::uint64_t{0}));
  const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(wanted.seconds);
  Seen seen;
  while (interrupted == 0 && sink.good() && !sink.full() &&
         std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kBetweenReads);
    if (auto read = read_part(context, "capture-read", id, sink, seen); !read)
      return context.refuse(read.error());
  }
  if (auto stopped = read_part(context, "capture-stop", id, sink, seen); !stopped)
    return context.refuse(stopped.error());
  if (!wanted.file.empty())
    std::cerr << seen.packets << " packets seen, written to " << wanted.file << "\n";
  if (seen.missed != 0) std::cerr << seen.missed << " packets came too fast to be kept\n";
  // A pipe whose reader had enough is no failure.
  return sink.good() || wanted.file.empty() ? kExitDone : cannot_write();
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
  sub->add_option("--seconds", wanted->seconds,
                  "how long; Ctrl-C ends it early, and what was seen is kept")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  sub->add_option("--count", wanted->count, "write the first COUNT packets only");
  sub->add_option("-w,--write", wanted->file, "file to write; else standard output");
  sub->callback([&context, wanted] {
    context.command = [&context, wanted] { return capture(context, *wanted); };
  });
}

}  // namespace sallyport::control
