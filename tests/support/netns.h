// Network namespaces for tests: hosts, the wires between them, and what is on the wires. Made with
// ip(8), so that nothing of the product stands in judgement over itself. Needs root.
//
// Every name opens with unique_prefix(), which also starts a guardian process: when the test
// ends in whatever way, the guardian removes every namespace with the prefix. A test that ends by
// itself removes its own and fails if one of them stays.
//
//   Namespace device("device"), gateway("gateway");
//   join(device, "eth0", gateway, "lan1");
//   Wire wire(device, "eth0");                 // raw frames of eth0, both directions
//   gateway.run([&] { ... });                  // on a thread inside
//   wire.send(frame);
//   auto answer = wire.wait_for([](const WireFrame& f) { return !f.outgoing; });
#pragma once

#include <sched.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "policy/base/bytes.h"
#include "policy/os/fd.h"

namespace sallyport::testing {

// "t<pid>-": names no longer than an interface's are up to the caller.
const std::string& unique_prefix();

bool is_root();

// Names below /run/netns, and mounts of them (one that was hidden by another included), that open
// with `prefix`: empty when a test has cleaned up.
std::vector<std::string> left_behind(const std::string& prefix);

class Namespace {
 public:
  // Makes unique_prefix() + label, loopback up.
  explicit Namespace(const std::string& label);
  // Opens one that the product has made (full name); it is not removed with this object.
  static Namespace existing(const std::string& name);
  Namespace(Namespace&&) noexcept = default;
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;
  Namespace& operator=(Namespace&&) = delete;
  ~Namespace();

  const std::string& name() const { return name_; }
  std::string path() const { return "/run/netns/" + name_; }
  int fd() const { return fd_.get(); }

  // Runs `work` on a thread inside and returns when it has ended.
  void run(const std::function<void()>& work) const;
  // ip -n NAME arguments...; throws unless it succeeds.
  std::string ip(const std::vector<std::string>& arguments) const;
  // The text of /proc/sys/<name> inside, without the line's end; empty if there is no such file.
  std::string sysctl(const std::string& name) const;

 private:
  Namespace() = default;
  std::string name_;
  bool owned_ = false;
  os::UniqueFd fd_;
};

// A veth pair, both ends up, offloads off (each frame on the wire is as a peer would see it).
void join(const Namespace& a, const std::string& a_name, const Namespace& b,
          const std::string& b_name);

struct WireFrame {
  std::vector<std::uint8_t> bytes;
  bool outgoing = false;  // sent by this end
};

// Every frame of one interface, from the moment this object is made.
class Wire {
 public:
  Wire(const Namespace& where, const std::string& interface);
  void send(ConstBytes frame) const;
  // All that has come since the last call, without waiting.
  std::vector<WireFrame> take();
  // The first frame that fits (others are dropped); nothing at the deadline.
  std::optional<WireFrame> wait_for(const std::function<bool(const WireFrame&)>& fits,
                                    std::chrono::milliseconds longest = std::chrono::seconds(5));

 private:
  std::optional<WireFrame> next();
  os::UniqueFd socket_;
};

}  // namespace sallyport::testing
