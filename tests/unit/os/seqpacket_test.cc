#include "policy/os/seqpacket.h"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "tests/support/netns.h"

namespace sallyport::os {
namespace {

using std::chrono::milliseconds;

std::size_t open_descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

std::vector<std::uint8_t> bytes(std::size_t size) { return std::vector<std::uint8_t>(size, 7); }

// Sends without our own checks.
void raw_send(int socket, ConstBytes data, std::size_t descriptors) {
  std::vector<int> fds(descriptors, STDIN_FILENO);
  iovec io = {const_cast<std::uint8_t*>(data.data()), data.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * 253)> control{};
  msghdr message = {};
  message.msg_iov = &io;
  message.msg_iovlen = 1;
  if (descriptors > 0) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptors);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * descriptors);
    std::memcpy(CMSG_DATA(header), fds.data(), sizeof(int) * descriptors);
  }
  ASSERT_GE(::sendmsg(socket, &message, MSG_NOSIGNAL), 0);
}

class Seqpacket : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "seqpacket-" + std::to_string(::getpid());
    std::filesystem::create_directory(folder_);
    path_ = folder_ + "/socket";
    auto pair = socket_pair();
    ASSERT_TRUE(pair);
    left_ = std::move(pair->first);
    right_ = std::move(pair->second);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
  std::string path_;
  UniqueFd left_;
  UniqueFd right_;
};

TEST_F(Seqpacket, DatagramsArriveWholeAndInOrder) {
  for (std::size_t size : {std::size_t{1}, std::size_t{1000}, kMaxMessageSize}) {
    ASSERT_TRUE(send_datagram(left_.get(), bytes(size))) << size;
    const auto received = receive_datagram(right_.get());
    ASSERT_TRUE(received && *received) << size;
    EXPECT_EQ((*received)->bytes.size(), size);
  }
}

TEST_F(Seqpacket, NothingThereIsNoError) {
  const auto received = receive_datagram(right_.get());
  ASSERT_TRUE(received);
  EXPECT_FALSE(*received);
}

TEST_F(Seqpacket, ClosedPeerIsUnavailable) {
  left_.reset();
  EXPECT_EQ(receive_datagram(right_.get()).error().code, "socket-closed");
  EXPECT_EQ(send_datagram(right_.get(), bytes(1)).error().code, "socket-closed");
}

TEST_F(Seqpacket, PeerThatDoesNotReadIsBusy) {
  Result<void> sent;
  for (int i = 0; i < 1000 && sent; ++i) sent = send_datagram(left_.get(), bytes(kMaxMessageSize));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, "socket-busy");
  EXPECT_FALSE(wait_writable(left_.get(), milliseconds(1)));
  ASSERT_TRUE(receive_datagram(right_.get()));
}

TEST_F(Seqpacket, TooLargeIsNeitherSentNorReceived) {
  EXPECT_EQ(send_datagram(left_.get(), bytes(kMaxMessageSize + 1)).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(send_datagram(left_.get(), {}).error().kind, ErrorKind::kUsage);
  raw_send(left_.get(), bytes(kMaxMessageSize + 1), 2);
  const std::size_t before = open_descriptors();
  const auto received = receive_datagram(right_.get());
  ASSERT_FALSE(received);
  EXPECT_EQ(received.error().code, "datagram-too-large");
  EXPECT_EQ(open_descriptors(), before) << "descriptors of a refused datagram are closed";
}

TEST_F(Seqpacket, DescriptorsArriveAndAreCloseOnExec) {
  const std::array<int, 2> fds = {STDIN_FILENO, STDERR_FILENO};
  ASSERT_TRUE(send_datagram(left_.get(), bytes(3), fds));
  const auto received = receive_datagram(right_.get());
  ASSERT_TRUE(received && *received);
  ASSERT_EQ((*received)->descriptors.size(), 2U);
  for (const UniqueFd& fd : (*received)->descriptors)
    EXPECT_EQ(::fcntl(fd.get(), F_GETFD), FD_CLOEXEC);
}

TEST_F(Seqpacket, TooManyDescriptorsAreRefusedAndClosed) {
  const std::size_t before = open_descriptors();
  for (std::size_t count : {kMaxDescriptors + 1, std::size_t{253}}) {
    raw_send(left_.get(), bytes(3), count);
    const auto received = receive_datagram(right_.get());
    ASSERT_FALSE(received) << count;
    EXPECT_EQ(received.error().code, "too-many-descriptors");
  }
  raw_send(left_.get(), bytes(3), 1);
  EXPECT_EQ(receive_datagram(right_.get(), 64, 0).error().code, "too-many-descriptors");
  EXPECT_EQ(open_descriptors(), before);
}

TEST_F(Seqpacket, PeerIsTheKernelsWord) {
  const auto listener = listen_at(path_, 0600);
  ASSERT_TRUE(listener) << listener.error().context;
  EXPECT_FALSE(*accept_from(listener->get())) << "nobody waits";
  const auto client = connect_to(path_);
  ASSERT_TRUE(client);
  const auto accepted = accept_from(listener->get());
  ASSERT_TRUE(accepted && *accepted);
  const auto peer = peer_of((*accepted)->get());
  ASSERT_TRUE(peer);
  EXPECT_EQ(peer->pid, ::getpid());
  EXPECT_EQ(peer->uid, ::getuid());
}

TEST_F(Seqpacket, ListenerReplacesASocketLeftBehindButNoFile) {
  {
    const auto old = listen_at(path_, 0600);
  }
  EXPECT_TRUE(std::filesystem::exists(path_));
  EXPECT_EQ(connect_to(path_).error().kind, ErrorKind::kUnavailable);
  EXPECT_TRUE(listen_at(path_, 0600));
  struct stat status = {};
  ASSERT_EQ(::stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  const std::string file = folder_ + "/file";
  std::ofstream(file) << "precious";
  EXPECT_EQ(listen_at(file, 0600).error().kind, ErrorKind::kRefused);
  EXPECT_TRUE(std::filesystem::exists(file));
}

TEST_F(Seqpacket, AbsentListenerOrLongPathIsSaid) {
  EXPECT_EQ(connect_to(path_).error().kind, ErrorKind::kUnavailable);
  const std::string longest(200, 'a');
  EXPECT_EQ(connect_to(longest).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(listen_at(longest, 0600).error().kind, ErrorKind::kUsage);
}

TEST_F(Seqpacket, WaitingEndsAtTheDatagramOrTheDeadline) {
  EXPECT_FALSE(wait_readable(right_.get(), milliseconds(1)));
  ASSERT_TRUE(send_datagram(left_.get(), bytes(1)));
  EXPECT_TRUE(wait_readable(right_.get(), milliseconds(5000)));
}

}  // namespace
}  // namespace sallyport::os
