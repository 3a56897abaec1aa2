#include "tests/perf/fastpath/tap_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "tests/perf/timing/rounds.h"
#include "tests/perf/timing/tap_figures.h"
#include "tests/support/tap_rig.h"

namespace sallyport::bench {
namespace {

using testing::Connection;
using testing::TapHost;
using testing::TapRig;

// A round that has not ended by then is ended.
constexpr unsigned kTooLong = 120;
constexpr double kWarmUp = 0.3;
constexpr std::size_t kPiece = 256 * 1024;

double seconds_of(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}
void pause(double seconds) {
  timespec time{};
  time.tv_sec = static_cast<time_t>(seconds);
  time.tv_nsec = static_cast<long>((seconds - static_cast<double>(time.tv_sec)) * 1e9);
  ::ppoll(nullptr, 0, &time, nullptr);
}

// Processor time so far of every thread of this process, by name, those of one name in the order
// in which they were started.
using Spent = std::map<std::string, std::vector<double>>;
Spent spent() {
  std::map<int, std::filesystem::path> threads;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/task"))
    threads[std::stoi(each.path().filename())] = each.path();
  Spent out;
  for (const auto& [id, path] : threads) {
    std::string name;
    double nanoseconds = 0;
    std::getline(std::ifstream(path / "comm"), name);
    std::ifstream(path / "schedstat") >> nanoseconds;
    out[name].push_back(nanoseconds / 1e9);
  }
  return out;
}

struct Moved {
  double gbits = 0;
  double seconds = 0;
  Spent before, after;
  double cores(const std::string& name, std::size_t index = 0) const {
    const auto was = before.find(name), is = after.find(name);
    if (was == before.end() || is == after.end() || index >= was->second.size()) return 0;
    return (is->second.at(index) - was->second[index]) / seconds;
  }
};

// One stream from one end of a connection to the other; `at_start` runs when what counts begins.
template <class Start>
Moved move(int from, int to, double seconds, Start at_start) {
  std::atomic<std::uint64_t> arrived = 0;
  std::thread sender([&] {
    pthread_setname_np(pthread_self(), "sender");
    const std::vector<char> piece(kPiece, 's');
    while (::send(from, piece.data(), piece.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  std::thread receiver([&] {
    pthread_setname_np(pthread_self(), "receiver");
    std::vector<char> piece(kPiece);
    for (ssize_t came = 1; came > 0;) {
      came = ::recv(to, piece.data(), piece.size(), 0);
      if (came > 0) arrived += static_cast<std::uint64_t>(came);
    }
  });
  pause(kWarmUp);
  at_start();
  Moved out;
  out.before = spent();
  const double began = seconds_of(CLOCK_MONOTONIC);
  const std::uint64_t first = arrived;
  pause(seconds);
  const std::uint64_t last = arrived;
  out.seconds = seconds_of(CLOCK_MONOTONIC) - began;
  out.after = spent();
  out.gbits = static_cast<double>(last - first) * 8 / out.seconds / 1e9;
  ::shutdown(from, SHUT_RDWR);
  ::shutdown(to, SHUT_RDWR);
  sender.join();
  receiver.join();
  return out;
}

// --- the ceiling -------------------------------------------------------------------------------

bool take_offloads(int tap) {
  return ::ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) == 0 &&
         ::fcntl(tap, F_SETFL, O_NONBLOCK) == 0;
}

// Every frame that one TAP gives, as it is, into the other.
void pump(int a, int b, const std::atomic<bool>& stop) {
  pthread_setname_np(pthread_self(), "pump");
  std::vector<char> frame(1 << 17);
  const auto some = [&](int from, int to) {
    bool any = false;
    for (int i = 0; i < 64; ++i) {
      const ssize_t size = ::read(from, frame.data(), frame.size());
      if (size <= 0) break;
      any = true;
      if (::write(to, frame.data(), static_cast<std::size_t>(size)) != size) break;
    }
    return any;
  };
  while (!stop) {
    const bool forth = some(a, b);
    const bool back = some(b, a);
    if (forth || back) continue;
    pollfd wait[] = {{a, POLLIN, 0}, {b, POLLIN, 0}};
    ::poll(wait, 2, 50);
  }
}

Moved pumped(double seconds) {
  const auto link = [](const char* mac, const char* v4, const char* v6) {
    return TapHost::Link{*MacAddress::parse(mac), *IpAddress::parse(v4), *IpAddress::parse(v6)};
  };
  const TapHost::Link left = link("02:00:00:00:77:01", "10.77.0.1", "fd00:77::1");
  const TapHost::Link right = link("02:00:00:00:77:02", "10.77.0.2", "fd00:77::2");
  const TapHost a("left", left, right), b("right", right, left);
  if (!take_offloads(a.tap.get()) || !take_offloads(b.tap.get())) return {};
  std::atomic<bool> stop = false;
  std::thread between([&] { pump(a.tap.get(), b.tap.get(), stop); });
  const Connection c = testing::connect(a.where, b.where, right.v4, TapRig::kPort);
  const Moved out = move(c.client.get(), c.server.get(), seconds, [] {});
  stop = true;
  between.join();
  return out;
}

// --- the gateway -------------------------------------------------------------------------------

// What the gateway has counted so far.
struct Counted {
  double packets = 0, supers = 0;  // of one direction of its host stack's TAP
  double dropped = 0;
};
Counted counted(TapRig& rig, bool to_host) {
  const auto& taps = rig.gateway_taps();
  Counted out{static_cast<double>(to_host ? taps.to_host_merged : taps.from_host_cut),
              static_cast<double>(to_host ? taps.to_host_supers : taps.from_host_supers)};
  rig.worker().do_between_bursts([&](dataplane::Pipeline& p) {
    out.dropped = static_cast<double>(p.counters().drop_count(Drop::kHostStackBusy) +
                                      p.counters().drop_count(Drop::kTxQueueFull));
  });
  return out;
}

TapStream stream(TapRig& rig, bool to_host, double seconds) {
  const Connection c = connect(rig, IpVersion::k4);
  const int host = c.client.get(), peer = c.server.get();
  Counted before;
  const Moved moved = move(to_host ? peer : host, to_host ? host : peer, seconds,
                           [&] { before = counted(rig, to_host); });
  const Counted after = counted(rig, to_host);
  const double supers = after.supers - before.supers;
  return {moved.gbits,
          supers > 0 ? (after.packets - before.packets) / supers : 0,
          after.dropped - before.dropped,
          moved.cores("sender"),
          moved.cores("receiver"),
          moved.cores("tap", 0),
          moved.cores("worker"),
          moved.cores("tap", 1)};
}

}  // namespace

int run_tap_stream(double seconds) {
  ::alarm(kTooLong + static_cast<unsigned>(3 * seconds));
  try {
    TapRound r;
    const Moved ceiling = pumped(seconds);
    r.pump = ceiling.gbits;
    r.pump_cores = ceiling.cores("pump");
    TapRig rig({});
    r.from_host = stream(rig, false, seconds);
    r.to_host = stream(rig, true, seconds);
    fmt::print("{}", line_of(r));
    return 0;
  } catch (const std::exception& error) {
    return failed_round({ErrorKind::kSystem, "no-figure", error.what()});
  }
}

}  // namespace sallyport::bench
