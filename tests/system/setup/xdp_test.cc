// The default-drop program on a port, and setup's part in its life: it stays when its loader is
// gone, and goes when the port goes down.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <csignal>
#include <memory>

#include "dataplane/xdp/left_over.h"
#include "tests/system/setup/daemon.h"

namespace sallyport::testing {
namespace {

using wire::SetupOp;

struct CloseObject {
  void operator()(bpf_object* object) const { bpf_object__close(object); }
};

// who-has 10.20.0.9 tell 10.20.0.5
const std::vector<std::uint8_t> kQuestion = {
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0,  0,  0, 0x20, 5, 8, 6, 0, 1, 8, 0,  6,  4, 0,
    1,    2,    0,    0,    0,    0x20, 5, 10, 20, 0, 5,    0, 0, 0, 0, 0, 0, 10, 20, 0, 9};

bool is_question(const WireFrame& frame) { return frame.bytes == kQuestion; }
bool is_answer(const WireFrame& frame) {
  return !frame.outgoing && frame.bytes.size() >= 42 && frame.bytes[12] == 8 &&
         frame.bytes[13] == 6 && frame.bytes[21] == 2;
}

// Loads the object and attaches its program to `link` of the calling thread's namespace; false on
// any failure. The loader's descriptors are closed again, as after its death.
bool attach(const char* link, unsigned mode) {
  const std::unique_ptr<bpf_object, CloseObject> object(bpf_object__open_file(XDP_OBJECT, nullptr));
  if (!object || bpf_object__load(object.get()) != 0) return false;
  if (bpf_object__find_map_by_name(object.get(), "xsks_map") == nullptr) return false;
  const bpf_program* program = bpf_object__next_program(object.get(), nullptr);
  return program != nullptr && bpf_xdp_attach(static_cast<int>(::if_nametoindex(link)),
                                              bpf_program__fd(program), mode, nullptr) == 0;
}

bool has_program(const Namespace& space, const char* link) {
  return space.ip({"-d", "link", "show", link}).find("prog/xdp") != std::string::npos;
}

class XdpDefaultDrop : public SetupDaemon, public ::testing::WithParamInterface<unsigned> {
 protected:
  void SetUp() override {
    SetupDaemon::SetUp();
    if (!home_) return;
    device_.emplace("device" + prefix_);
    join(*device_, "eth0", *home_, "lan1");
  }
  bool attach_in(const Namespace& space) {
    bool attached = false;
    space.run([&] { attached = attach("lan1", GetParam()); });
    return attached;
  }
  std::optional<Namespace> device_;
};

TEST_P(XdpDefaultDrop, NothingReachesTheKernelWhileNoSocketIsBound) {
  home_->ip({"address", "add", "10.20.0.9/24", "dev", "lan1"});
  Wire device(*device_, "eth0");
  Wire kernel(*home_, "lan1");
  device.send(kQuestion);
  ASSERT_TRUE(kernel.wait_for(is_question)) << "without the program it does";
  ASSERT_TRUE(device.wait_for(is_answer)) << "and is answered";
  ASSERT_TRUE(attach_in(*home_));
  kernel.take();
  device.take();
  for (int i = 0; i < 20; ++i) device.send(kQuestion);
  const auto ours = std::chrono::milliseconds(300);
  EXPECT_FALSE(kernel.wait_for([](const WireFrame& f) { return !f.outgoing; }, ours));
  EXPECT_FALSE(device.wait_for(is_answer, ours));
}

TEST_P(XdpDefaultDrop, StaysOnARaisedPortAndGoesWithPortDown) {
  must(record(SetupOp::kPortTake, "lan1"));
  const Namespace ports = segment("ports");
  ASSERT_TRUE(attach_in(ports));
  must(record(SetupOp::kPortUp, "lan1"));
  must(record(SetupOp::kPortTake, "lan1"));
  EXPECT_TRUE(has_program(ports, "lan1")) << "a port in service keeps it";
  must(record(SetupOp::kPortDown, "lan1"));
  EXPECT_FALSE(has_program(ports, "lan1"));
  EXPECT_TRUE(attach_in(ports)) << "the next dataplane can attach";
  must(record(SetupOp::kPortRelease, "lan1"));
  EXPECT_FALSE(has_program(*home_, "lan1"));
}

TEST_P(XdpDefaultDrop, NextDataplaneTakesOffWhatAKilledOneLeft) {
  must(record(SetupOp::kPortTake, "lan1"));
  must(record(SetupOp::kPortUp, "lan1"));
  const Namespace ports = segment("ports");
  ASSERT_TRUE(attach_in(ports));
  for (int round = 0; round < 2; ++round)
    ports.run([] { EXPECT_TRUE(dataplane::detach_left_over_program("lan1")); });
  EXPECT_FALSE(has_program(ports, "lan1"));
  EXPECT_EQ(dataplane::detach_left_over_program("absent0").error().code, "no-such-interface");
}

TEST(XdpInterface, IsTheOneTheDriverIsTold) {
  using dataplane::xdp_interface;
  EXPECT_EQ(xdp_interface("net_af_xdp0,iface=eth1"), "eth1");
  EXPECT_EQ(xdp_interface("net_af_xdp0,start_queue=0,iface=eth1,xdp_prog=/x.o"), "eth1");
  EXPECT_EQ(xdp_interface("net_af_packet0,iface=eth1"), std::nullopt);
  EXPECT_EQ(dataplane::kernel_interface("net_af_packet0,iface=eth1"), "eth1");
  EXPECT_EQ(dataplane::kernel_interface("net_pcap0,iface=eth1"), std::nullopt);
  EXPECT_EQ(xdp_interface("net_af_xdp0"), std::nullopt);
  EXPECT_EQ(xdp_interface("0000:01:00.0"), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Modes, XdpDefaultDrop,
                         ::testing::Values(XDP_FLAGS_SKB_MODE, XDP_FLAGS_DRV_MODE),
                         [](const auto& mode) {
                           return mode.param == XDP_FLAGS_SKB_MODE ? "Generic" : "Native";
                         });

}  // namespace
}  // namespace sallyport::testing
