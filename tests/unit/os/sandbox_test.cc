// Users, capabilities, dumps, Landlock, namespaces: each tried from behind.
#include "policy/os/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <net/if.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/support/intruder.h"
#include "tests/support/netns.h"

namespace sallyport::os {
namespace {

using testing::expect_attempts;

constexpr User kNobody = {65534, 65534};

class Sandbox : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!testing::is_root()) GTEST_SKIP() << "needs root";
    folder_ = ::testing::TempDir() + "sandbox-" + std::to_string(::getpid());
    for (const char* name : {"/open", "/read", "/closed"})
      std::filesystem::create_directories(folder_ + name);
    for (const char* name : {"/open/file", "/read/file", "/closed/file"})
      std::ofstream(folder_ + name) << "x";
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  std::string in(const char* name) const { return folder_ + name; }
  std::string folder_;
};

int open_for(const std::string& path, int flags) { return ::open(path.c_str(), flags, 0600); }

TEST_F(Sandbox, ANameOrANumberIsAUser) {
  EXPECT_EQ(find_user("root")->uid, 0U);
  EXPECT_EQ(find_user("1234")->gid, 1234U);
  EXPECT_EQ(find_user("no-such-user-here").error().code, "no-such-user");
  EXPECT_FALSE(find_user("-1"));
  EXPECT_FALSE(find_user("12x"));
}

TEST_F(Sandbox, BecomesTheUserWithoutGroupsOrWayBack) {
  const auto walls = [] {
    const std::array<gid_t, 2> groups = {0, 1234};  // what a login would have left
    EXPECT_EQ(::setgroups(groups.size(), groups.data()), 0);
    return become_user(kNobody, {});
  };
  expect_attempts(walls,
                  {
                      {"is the user", 0,
                       [] {
                         return ::getuid() == kNobody.uid && ::geteuid() == kNobody.uid &&
                                        ::getgid() == kNobody.gid && ::getgroups(0, nullptr) == 0
                                    ? 0
                                    : -1;
                       }},
                      {"back to root", EPERM, [] { return ::setuid(0); }},
                      {"root's group", EPERM, [] { return ::setgid(0); }},
                      {"packet sockets", EPERM, [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
                      {"root's files", EACCES, [] { return open_for("/etc/shadow", O_RDONLY); }},
                      {"new privileges are off", 0,
                       [] { return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ? 0 : -1; }},
                  });
}

TEST_F(Sandbox, KeepsExactlyTheCapabilitiesItIsGiven) {
  const auto walls = [] { return become_user(kNobody, std::array{CAP_NET_RAW, CAP_IPC_LOCK}); };
  expect_attempts(walls, {
                             {"the kept one", 0, [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
                             {"another", EPERM, [] { return ::unshare(CLONE_NEWNET); }},
                             {"the bounding set holds no other", 0,
                              [] {
                                for (int cap = 0; cap <= CAP_LAST_CAP; ++cap) {
                                  const bool kept = cap == CAP_NET_RAW || cap == CAP_IPC_LOCK;
                                  if ((::prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1) != kept)
                                    return -1;
                                }
                                return 0;
                              }},
                             {"gone once dropped", EPERM,
                              [] {
                                if (!drop_all_capabilities()) return 0;
                                return ::socket(AF_PACKET, SOCK_RAW, 0);
                              }},
                         });
}

TEST_F(Sandbox, DropReachesThreadsThatRunAlready) {
  const auto walls = [] { return become_user(kNobody, std::array{CAP_NET_RAW}); };
  expect_attempts(walls, {{"packet socket in an older thread", EPERM, [] {
                             std::atomic<int> stage = 0;
                             int result = 0;
                             int error = 0;
                             std::thread older([&] {
                               while (stage.load() == 0) ::poll(nullptr, 0, 1);
                               result = ::socket(AF_PACKET, SOCK_RAW, 0);
                               error = errno;
                             });
                             const bool dropped = drop_all_capabilities().has_value();
                             stage = 1;
                             older.join();
                             errno = error;
                             return dropped ? result : 0;
                           }}});
}

TEST_F(Sandbox, LeavesNoCoreAndLetsNobodyLook) {
  const auto walls = []() -> Result<void> {
    SALLYPORT_TRY_VOID(become_user(kNobody, {}));
    return forbid_dumps();
  };
  expect_attempts(
      walls,
      {
          {"not dumpable", 0, [] { return ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : -1; }},
          {"no core size", 0,
           [] {
             rlimit limit = {1, 1};
             return ::getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_max == 0 ? 0 : -1;
           }},
          {"raising it", EPERM,
           [] {
             const rlimit limit = {1, 1};
             return ::setrlimit(RLIMIT_CORE, &limit);
           }},
          {"its own memory file", EACCES, [] { return open_for("/proc/self/mem", O_RDWR); }},
      });
}

TEST_F(Sandbox, PathsOutsideTheRulesAreClosed) {
  const auto walls = [this] {
    return restrict_paths(std::array{PathRule{in("/open"), true}, PathRule{in("/read"), false}});
  };
  expect_attempts(
      walls,
      {
          {"reading below a readable tree", 0,
           [&] { return open_for(in("/read/file"), O_RDONLY); }},
          {"writing there", EACCES, [&] { return open_for(in("/read/file"), O_WRONLY); }},
          {"truncating there", EACCES, [&] { return ::truncate(in("/read/file").c_str(), 0); }},
          {"making a file there", EACCES,
           [&] { return open_for(in("/read/new"), O_WRONLY | O_CREAT); }},
          {"removing there", EACCES, [&] { return ::unlink(in("/read/file").c_str()); }},
          {"writing below a writable tree", 0, [&] { return open_for(in("/open/file"), O_RDWR); }},
          {"making a file there", 0, [&] { return open_for(in("/open/new"), O_WRONLY | O_CREAT); }},
          {"a folder there", EACCES, [&] { return ::mkdir(in("/open/folder").c_str(), 0700); }},
          {"a symbolic link there", EACCES,
           [&] { return ::symlink("/", in("/open/link").c_str()); }},
          {"a device there", EACCES,
           [&] { return ::mknod(in("/open/device").c_str(), S_IFCHR | 0600, 0x103); }},
          {"moving a file in from elsewhere", EACCES,
           [&] { return ::rename(in("/read/file").c_str(), in("/open/moved").c_str()); }},
          {"reading elsewhere", EACCES, [&] { return open_for(in("/closed/file"), O_RDONLY); }},
          {"listing elsewhere", EACCES, [&] { return open_for("/", O_RDONLY | O_DIRECTORY); }},
          {"making a file elsewhere", EACCES,
           [&] { return open_for(in("/closed/new"), O_WRONLY | O_CREAT); }},
          {"running a program", EACCES, [] { return ::execl("/bin/true", "true", nullptr); }},
          {"root's secrets", EACCES, [] { return open_for("/etc/shadow", O_RDONLY); }},
      });
}

TEST_F(Sandbox, PathsAreClosedForThreadsThatRunAlready) {
  const auto nothing = [] { return Result<void>(); };
  expect_attempts(nothing,
                  {{"reading elsewhere in an older thread", EACCES, [this] {
                      std::atomic<int> stage = 0;
                      int result = 0;
                      int error = 0;
                      std::thread older([&] {
                        while (stage.load() == 0) ::poll(nullptr, 0, 1);
                        result = open_for(in("/closed/file"), O_RDONLY);
                        error = errno;
                      });
                      const bool built =
                          restrict_paths(std::array{PathRule{in("/read"), false}}).has_value();
                      stage = 1;
                      older.join();
                      errno = error;
                      return built ? result : 0;
                    }}});
}

TEST_F(Sandbox, WallsMayBeBuiltAgainFromAnotherThread) {
  const auto walls = []() -> Result<void> {
    for (int round = 0; round < 2; ++round) {
      Result<void> built;
      std::thread([&] {
        built = drop_all_capabilities();
        if (built) built = restrict_paths({});
      }).join();
      SALLYPORT_TRY_VOID(built);
    }
    return restrict_paths({});
  };
  expect_attempts(walls,
                  {
                      {"any file", EACCES, [&] { return open_for(in("/read/file"), O_RDONLY); }},
                      {"packet sockets", EPERM, [] { return ::socket(AF_PACKET, SOCK_RAW, 0); }},
                  });
}

TEST_F(Sandbox, ARuleForASingleFileOpensThatFile) {
  const auto walls = [this] {
    return restrict_paths(std::array{PathRule{in("/open/file"), true}});
  };
  expect_attempts(
      walls,
      {
          {"the file", 0, [&] { return open_for(in("/open/file"), O_RDWR); }},
          {"its neighbour", EACCES, [&] { return open_for(in("/closed/file"), O_RDONLY); }},
          {"its folder", EACCES, [&] { return open_for(in("/open"), O_RDONLY | O_DIRECTORY); }},
      });
}

TEST_F(Sandbox, ARuleForAnAbsentPathIsAnError) {
  EXPECT_EQ(restrict_paths(std::array{PathRule{in("/absent"), false}}).error().code,
            "landlock-path");
}

TEST_F(Sandbox, OwnNetworkNamespaceHasNothingInIt) {
  expect_attempts(unshare_network, {
                                       {"one link, down", 0,
                                        [] {
                                          struct if_nameindex* list = ::if_nameindex();
                                          return list != nullptr &&
                                                         std::strcmp(list[0].if_name, "lo") == 0 &&
                                                         list[1].if_index == 0
                                                     ? 0
                                                     : -1;
                                        }},
                                   });
}

TEST_F(Sandbox, EntersTheNamespaceAtAPath) {
  const testing::Namespace inside("inside");
  inside.ip({"link", "add", "marker", "type", "veth", "peer", "name", "other"});
  expect_attempts([&] { return enter_netns(inside.path()); },
                  {{"is there", 0, [] { return ::if_nametoindex("marker") != 0 ? 0 : -1; }}});
  EXPECT_EQ(enter_netns("/run/netns/no-such-namespace").error().code, "netns-open");
  EXPECT_EQ(enter_netns("/dev/null").error().code, "netns-enter");
}

}  // namespace
}  // namespace sallyport::os
