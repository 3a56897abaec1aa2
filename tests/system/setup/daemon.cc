#include "tests/system/setup/daemon.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <thread>

#include "policy/os/seqpacket.h"

namespace sallyport::testing {
namespace {

using std::chrono::seconds;

// Only the thread changes user (the raw call, not the C library's), and it ends at once.
os::UniqueFd connect_as(const std::string& path, uid_t uid) {
  os::UniqueFd out;
  std::thread([&] {
    if (::syscall(SYS_setresuid, uid, uid, uid) != 0) return;
    if (auto connected = os::connect_to(path)) out = std::move(*connected);
  }).join();
  return out;
}

unsigned next_instance() {
  static unsigned count = 0;
  return ++count;
}

}  // namespace

Client::Client(const std::string& socket, uid_t uid) : socket_(connect_as(socket, uid)) {}

std::optional<Reply> Client::send_bytes(ConstBytes bytes) {
  // A connection that is closed already answers with an error: no reply, as expected by the caller.
  if (!os::send_datagram(socket_.get(), bytes)) return std::nullopt;
  if (!os::wait_readable(socket_.get(), seconds(10))) {
    ADD_FAILURE() << "setup neither answers nor closes";
    return std::nullopt;
  }
  auto datagram = os::receive_datagram(socket_.get());
  if (!datagram || !*datagram) return std::nullopt;
  wire::SetupReply reply;
  if ((*datagram)->bytes.size() != sizeof(reply)) {
    ADD_FAILURE() << "a reply of " << (*datagram)->bytes.size() << " bytes";
    return std::nullopt;
  }
  std::memcpy(&reply, (*datagram)->bytes.data(), sizeof(reply));
  return Reply{reply.error, reply.detail.data(), std::move((*datagram)->descriptors)};
}

std::optional<Reply> Client::ask(const wire::SetupRequest& request) {
  return send_bytes({reinterpret_cast<const std::uint8_t*>(&request), sizeof(request)});
}

wire::SetupRequest record(wire::SetupOp op, std::string_view name) {
  wire::SetupRequest out;
  out.op = op;
  std::memcpy(out.name.data(), name.data(), std::min(name.size(), out.name.size() - 1));
  return out;
}

wire::SetupRequest with_address(wire::SetupRequest request, std::string_view address,
                                unsigned prefix_length) {
  request.address = IpAddress::parse(address)->bytes();
  request.prefix_length = static_cast<std::uint8_t>(prefix_length);
  return request;
}

wire::SetupRequest with_mac(wire::SetupRequest request, const MacAddress& mac) {
  request.mac = mac.bytes();
  return request;
}

wire::SetupRequest socket_record(std::string_view segment, unsigned family, unsigned type) {
  wire::SetupRequest out = record(wire::SetupOp::kOpenSocket, segment);
  out.family = static_cast<std::uint8_t>(family);
  out.socket_type = static_cast<std::uint8_t>(type);
  return out;
}

void SetupDaemon::SetUp() {
  if (!is_root()) GTEST_SKIP() << "needs root";
  const unsigned instance = next_instance();
  prefix_ = unique_prefix() + std::to_string(instance) + "-";
  folder_ = ::testing::TempDir() + prefix_ + "run";
  socket_ = folder_ + "/setup/socket";
  home_.emplace("home" + std::to_string(instance));
  start();
}

void SetupDaemon::TearDown() {
  if (!home_) return;
  daemon_.reset();
  cleanup();
  EXPECT_EQ(left_behind(prefix_), std::vector<std::string>{});
  std::filesystem::remove_all(folder_);
}

void SetupDaemon::start() {
  const int home = home_->fd();
  daemon_.emplace(std::vector<std::string>{SETUP_PROGRAM, "--prefix", prefix_, "--run-dir", folder_,
                                           "--control-uid", std::to_string(kControl),
                                           "--terminator-uid", std::to_string(kTerminator)},
                  [home] { ::setns(home, CLONE_NEWNET); });
  ASSERT_TRUE(wait_until([&] {
    Client client(socket_, kControl);
    return client.ask(record(wire::SetupOp::kHello)).has_value();
  })) << "setup does not come up";
}

void SetupDaemon::restart_after(int signal) {
  daemon_->signal(signal);
  ASSERT_TRUE(daemon_->wait(seconds(10)));
  start();
}

Reply SetupDaemon::control(const wire::SetupRequest& request) {
  auto reply = Client(socket_, kControl).ask(request);
  EXPECT_TRUE(reply) << "closed instead of answered";
  return reply ? std::move(*reply) : Reply{};
}

void SetupDaemon::must(const wire::SetupRequest& request) {
  const Reply reply = control(request);
  EXPECT_EQ(reply.error, 0) << static_cast<int>(request.op) << ": " << reply.detail;
}

void SetupDaemon::make_segment(const std::string& name) {
  must(with_mac(record(wire::SetupOp::kSegmentCreate, name), kTapMac));
}

std::string SetupDaemon::cleanup() {
  // Not by `ip netns exec`: that has a mount namespace of its own.
  return must_run({"nsenter", "--net=" + home_->path(), SETUP_PROGRAM, "--prefix", prefix_,
                   "--run-dir", folder_, "--cleanup"});
}

}  // namespace sallyport::testing
