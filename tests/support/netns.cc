#include "tests/support/netns.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "tests/support/process.h"

namespace sallyport::testing {
namespace {

constexpr const char* kFolder = "/run/netns";

std::vector<std::string> names_in_folder() {
  std::vector<std::string> out;
  std::error_code absent;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder, absent))
    out.push_back(entry.path().filename());
  return out;
}

void remove_namespaces(const std::string& prefix) {
  for (const std::string& name : names_in_folder()) {
    if (!name.starts_with(prefix)) continue;
    const std::string path = std::string(kFolder) + "/" + name;
    ::umount2(path.c_str(), MNT_DETACH);
    ::unlink(path.c_str());
  }
}

// A child that outlives the test by a moment. It learns of the test's end from a pipe that only the
// test holds open.
void start_guardian(const std::string& prefix) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe");
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("fork");
  if (pid != 0) {
    ::close(ends[0]);  // ends[1] stays open until this process ends
    return;
  }
  ::setsid();
  ::prctl(PR_SET_NAME, "netns-guardian");
  for (int fd = 0; fd < 1024; ++fd) {
    if (fd != ends[0]) ::close(fd);
  }
  char byte = 0;
  while (::read(ends[0], &byte, 1) > 0) {
  }
  remove_namespaces(prefix);
  ::_exit(0);
}

}  // namespace

bool is_root() { return ::geteuid() == 0; }

const std::string& unique_prefix() {
  static const std::string prefix = [] {
    std::string made = "t" + std::to_string(::getpid()) + "-";
    start_guardian(made);
    return made;
  }();
  return prefix;
}

Namespace::Namespace(const std::string& label) : name_(unique_prefix() + label), owned_(true) {
  must_run({"ip", "netns", "add", name_});
  fd_.reset(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
  ip({"link", "set", "lo", "up"});
}

Namespace Namespace::existing(const std::string& name) {
  Namespace out;
  out.name_ = name;
  out.fd_.reset(::open(out.path().c_str(), O_RDONLY | O_CLOEXEC));
  if (!out.fd_) throw std::runtime_error("no namespace " + name);
  return out;
}

Namespace::~Namespace() {
  if (!owned_ || name_.empty()) return;
  fd_.reset();
  const Ran ran = testing::run({"ip", "netns", "del", name_});
  EXPECT_EQ(ran.status, 0) << name_ << " stays: " << ran.output;
}

std::vector<std::string> left_behind(const std::string& prefix) {
  std::vector<std::string> out;
  for (std::string& name : names_in_folder()) {
    if (name.starts_with(prefix)) out.push_back(std::move(name));
  }
  std::ifstream mounts("/proc/self/mountinfo");
  const std::string mark = std::string(" ") + kFolder + "/" + prefix;
  for (std::string line; std::getline(mounts, line);) {
    if (line.contains(mark)) out.push_back(line);
  }
  return out;
}

void Namespace::run(const std::function<void()>& work) const {
  std::exception_ptr thrown;
  std::thread([&] {
    try {
      if (::setns(fd_.get(), CLONE_NEWNET) != 0) throw std::runtime_error("setns " + name_);
      work();
    } catch (...) {
      thrown = std::current_exception();
    }
  }).join();
  if (thrown) std::rethrow_exception(thrown);
}

std::string Namespace::ip(const std::vector<std::string>& arguments) const {
  std::vector<std::string> all = {"ip", "-n", name_};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return must_run(all);
}

std::string Namespace::sysctl(const std::string& name) const {
  std::string value;
  run([&] {
    const os::UniqueFd file(::open(("/proc/sys/" + name).c_str(), O_RDONLY | O_CLOEXEC));
    std::array<char, 128> buffer{};
    const ssize_t size = file ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
    if (size > 0) value.assign(buffer.data(), static_cast<std::size_t>(size));
  });
  while (value.ends_with('\n')) value.pop_back();
  return value;
}

void join(const Namespace& a, const std::string& a_name, const Namespace& b,
          const std::string& b_name) {
  a.ip({"link", "add", a_name, "type", "veth", "peer", "name", b_name, "netns", b.name()});
  for (const auto& [where, link] : {std::pair(&a, &a_name), std::pair(&b, &b_name)}) {
    must_run({"ip", "netns", "exec", where->name(), "ethtool", "-K", *link, "rx", "off", "tx",
              "off", "sg", "off", "gso", "off", "gro", "off"});
    where->ip({"link", "set", *link, "up"});
  }
}

Wire::Wire(const Namespace& where, const std::string& interface) {
  where.run([&] {
    socket_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)));
    sockaddr_ll address = {};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    const int size = 8 << 20;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
    if (address.sll_ifindex == 0 ||
        ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
      throw std::runtime_error("capture on " + interface);
  });
  take();  // what another interface brought between socket() and bind()
}

void Wire::send(ConstBytes frame) const {
  if (::send(socket_.get(), frame.data(), frame.size(), 0) != static_cast<ssize_t>(frame.size()))
    throw std::runtime_error("frame not sent");
}

std::optional<WireFrame> Wire::next() {
  WireFrame out;
  out.bytes.resize(65536);
  sockaddr_ll from = {};
  socklen_t from_size = sizeof(from);
  const ssize_t size = ::recvfrom(socket_.get(), out.bytes.data(), out.bytes.size(), 0,
                                  reinterpret_cast<sockaddr*>(&from), &from_size);
  if (size < 0) return std::nullopt;
  out.bytes.resize(static_cast<std::size_t>(size));
  out.outgoing = from.sll_pkttype == PACKET_OUTGOING;
  return out;
}

std::vector<WireFrame> Wire::take() {
  std::vector<WireFrame> out;
  while (auto frame = next()) out.push_back(std::move(*frame));
  return out;
}

std::optional<WireFrame> Wire::wait_for(const std::function<bool(const WireFrame&)>& fits,
                                        std::chrono::milliseconds longest) {
  const auto end = std::chrono::steady_clock::now() + longest;
  while (true) {
    while (auto frame = next()) {
      if (fits(*frame)) return frame;
    }
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return std::nullopt;
    pollfd entry = {socket_.get(), POLLIN, 0};
    ::poll(&entry, 1, static_cast<int>(left.count()));
  }
}

}  // namespace sallyport::testing
