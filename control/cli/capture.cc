// capture: what the dataplane sees, as it sees it: pcapng with the verdict as packet comment.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>

#include "control/cli/commands.h"
#include "control/cli/watch.h"
#include "policy/os/memfd.h"

namespace sallyport::control {
namespace {

constexpr std::size_t kMaxPart = std::size_t{1} << 26;
constexpr std::uint32_t kEnhancedPacketBlock = 6;  // draft-ietf-opsawg-pcapng §4.3

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

// False when there was enough, or nothing more can be written.
Result<bool> take_part(const Reply& part, Sink& sink) {
  if (part.fds.empty() || !sink.good() || sink.full()) return sink.good() && !sink.full();
  SALLYPORT_TRY(const os::Mapping memory, os::map_sealed(part.fds.front().get(), kMaxPart));
  sink.write({reinterpret_cast<const char*>(memory.bytes().data()), memory.size()});
  sink.count(part.result.value("packets", std::uint64_t{0}));
  return sink.good() && !sink.full();
}

int capture(const Context& context, const Wanted& wanted) {
  if (wanted.file.empty() && isatty(STDOUT_FILENO) != 0)
    return context.refuse({ErrorKind::kUsage, "no-file",
                           "a capture is not for a terminal; write it to a file with -w FILE, or "
                           "pipe it: sallyctl capture | tcpdump -r -"});
  Sink sink(wanted);
  const auto cannot_write = [&] {
    return context.refuse({ErrorKind::kSystem, "cannot-write",
                           fmt::format("{}: {}", wanted.file, std::strerror(errno))});
  };
  if (!sink.good()) return cannot_write();
  const auto seen = watch(context.client(), {{"op", "query"}, {"what", "capture-start"}},
                          wanted.seconds, [&](const Reply& part) { return take_part(part, sink); });
  if (!seen) return context.refuse(seen.error());
  if (!wanted.file.empty())
    std::cerr << seen->packets << " packets seen, written to " << wanted.file << "\n";
  if (seen->missed != 0) std::cerr << seen->missed << " packets came too fast to be kept\n";
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
  sub->add_option("-w,--write", wanted->file, "file to write; else standard output")
      ->type_name("FILE");
  sub->callback([&context, wanted] {
    context.command = [&context, wanted] { return capture(context, *wanted); };
  });
}

}  // namespace sallyport::control
