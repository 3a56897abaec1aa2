// sallyport-setup as a child of the test, and clients of it under any uid.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "policy/base/net.h"
#include "policy/os/fd.h"
#include "policy/wire/setup_protocol.h"
#include "tests/support/netns.h"
#include "tests/support/process.h"

namespace sallyport::testing {

inline constexpr uid_t kControl = 64001;
inline constexpr uid_t kTerminator = 64002;

struct Reply {
  int error = -1;  // errno, 0 = done
  std::string detail;
  std::vector<os::UniqueFd> descriptors;
};

class Client {
 public:
  // Connects as `uid`.
  Client(const std::string& socket, uid_t uid);
  // Nothing when the daemon closed the connection instead of answering.
  std::optional<Reply> ask(const wire::SetupRequest& request);
  std::optional<Reply> send_bytes(ConstBytes bytes);

 private:
  os::UniqueFd socket_;
};

wire::SetupRequest record(wire::SetupOp op, std::string_view name = {});
wire::SetupRequest with_address(wire::SetupRequest request, std::string_view address,
                                unsigned prefix_length = 0);
wire::SetupRequest with_mac(wire::SetupRequest request, const MacAddress& mac);
wire::SetupRequest socket_record(std::string_view segment, unsigned family, unsigned type);

inline constexpr MacAddress kTapMac({2, 0, 0, 0, 0x20, 1});
inline constexpr MacAddress kDeviceMac({2, 0, 0, 0, 0x20, 5});

// Starts the daemon in a home namespace of its own, with a prefix of its own, and cleans up.
class SetupDaemon : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;
  void start();
  void restart_after(int signal);
  // As control; expects an answer.
  Reply control(const wire::SetupRequest& request);
  void must(const wire::SetupRequest& request);
  void make_segment(const std::string& name);
  Namespace segment(const std::string& name) { return Namespace::existing(prefix_ + name); }
  std::string cleanup();

  std::string prefix_;
  std::string folder_;
  std::string socket_;
  std::optional<Namespace> home_;
  std::optional<Process> daemon_;
};

}  // namespace sallyport::testing
