// The filter may say "maybe" of anybody, and "no" only of those whom the tables do not know.
#include "dataplane/enrolled_filter.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/pipeline_world.h"

namespace sallyport::testing {
namespace {

using dataplane::EnrolledFilter;

TEST(EnrolledFilter, KnowsEveryDeviceOfThePlant) {
  PipelineWorld world;
  const EnrolledFilter& filter = world.pipeline().tables()->enrolled();
  const wire::SnapshotView& view = world.pipeline().tables()->view();
  ASSERT_GT(view.device_addresses().size(), 4U);
  for (const wire::Device& device : view.devices())
    if (device.valid() != 0) {
      EXPECT_TRUE(filter.may_be(wire::to_mac(device.mac())));
    }
  for (const wire::Address& address : view.device_addresses())
    EXPECT_TRUE(filter.may_be(wire::to_ip(address))) << wire::to_ip(address).to_string();
}

TEST(EnrolledFilter, AgreesWithTheTablesAboutStrangersAndRarelyNeedsThem) {
  PipelineWorld world;
  const EnrolledFilter& filter = world.pipeline().tables()->enrolled();
  const decide::Classifier& classifier = world.pipeline().tables()->classifier();
  std::mt19937 random(1);
  constexpr unsigned kStrangers = 20'000;
  unsigned macs = 0, addresses = 0;
  for (unsigned i = 0; i < kStrangers; ++i) {
    const auto r = static_cast<std::uint32_t>(random());
    const auto byte = [r](unsigned n) { return static_cast<std::uint8_t>(r >> n); };
    const MacAddress mac({2, 0, byte(24), byte(16), byte(8), byte(0)});
    // Of the devices' own networks, where the devices are too.
    const IpAddress address = IpAddress::v4(0x0a000000U | r % 64 << 16 | (r >> 16) % 1024);
    if (!filter.may_be(mac)) {
      EXPECT_EQ(classifier.device_by_mac(mac), dataplane::kNoDevice) << mac.to_string();
    }
    if (!filter.may_be(address)) {
      EXPECT_FALSE(classifier.locate(address).is_device()) << address.to_string();
    }
    macs += filter.may_be(mac) ? 1 : 0;
    addresses += filter.may_be(address) ? 1 : 0;
  }
  EXPECT_LT(macs, kStrangers / 64);
  EXPECT_LT(addresses, kStrangers / 64);
}

TEST(EnrolledFilter, KnowsNobodyWithoutASnapshot) {
  const EnrolledFilter filter;
  EXPECT_FALSE(filter.may_be(MacAddress({2, 0, 0, 0, 0, 1})));
  EXPECT_FALSE(filter.may_be(IpAddress::v4(0x0a140005)));
}

}  // namespace
}  // namespace sallyport::testing
