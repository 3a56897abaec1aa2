#include "policy/os/notify.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "policy/os/seqpacket.h"

namespace sallyport::os {
namespace {

// The supervisor's side, in the abstract space ('@' in the environment).
class Supervisor {
 public:
  Supervisor() : name_("@sallyport-test-" + std::to_string(::getpid())) {
    socket_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path + 1, name_.data() + 1, name_.size() - 1);
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    ::setenv("NOTIFY_SOCKET", name_.c_str(), 1);
  }
  ~Supervisor() { ::unsetenv("NOTIFY_SOCKET"); }
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  std::string next() {
    std::array<char, 512> buffer{};
    if (!wait_readable(socket_.get(), std::chrono::seconds(5))) return "nothing";
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(0, size))};
  }

 private:
  std::string name_;
  UniqueFd socket_;
};

TEST(Notify, SaysWhatTheSupervisorAsksFor) {
  Supervisor supervisor;
  const Notifier notifier;
  notifier.ready();
  EXPECT_EQ(supervisor.next(), "READY=1");
  notifier.watchdog();
  EXPECT_EQ(supervisor.next(), "WATCHDOG=1");
  notifier.status("3 segments");
  EXPECT_EQ(supervisor.next(), "STATUS=3 segments");
  notifier.stopping();
  EXPECT_EQ(supervisor.next(), "STOPPING=1");
}

TEST(Notify, WithoutASupervisorNothingHappens) {
  ::unsetenv("NOTIFY_SOCKET");
  const Notifier notifier;
  notifier.ready();
  EXPECT_FALSE(notifier.watchdog_interval());
}

TEST(Notify, WatchdogIsServedTwicePerPeriod) {
  for (const auto& [text, half] : {std::pair("2000000", 1000000), std::pair("1", 0),
                                   std::pair("0", 0), std::pair("-5", 0), std::pair("2s", 0)}) {
    ::setenv("WATCHDOG_USEC", text, 1);
    const auto interval = Notifier().watchdog_interval();
    EXPECT_EQ(interval ? interval->count() : 0, half) << text;
  }
  ::unsetenv("WATCHDOG_USEC");
}

}  // namespace
}  // namespace sallyport::os
