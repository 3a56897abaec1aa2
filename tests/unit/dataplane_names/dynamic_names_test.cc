#include "dataplane/names/dynamic_names.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace sallyport::dataplane {
namespace {

const auto kAddress = IpAddress::v4(0xcb007109);
constexpr auto kStart = Instant::from_ns(1'000'000'000);

std::vector<std::uint32_t> classes_of(const DynamicNames& names, const IpAddress& address,
                                      Instant now) {
  std::vector<std::uint32_t> out;
  names.any_class(address, now, [&out](std::uint32_t c) {
    out.push_back(c);
    return false;
  });
  return out;
}

TEST(DynamicNames, AnAddressLivesForItsTtlAndTheGrace) {
  auto names = std::make_unique<DynamicNames>();
  names->install(kAddress, name_hash("broker.example"), 7, 60, kStart);
  EXPECT_EQ(classes_of(*names, kAddress, kStart + std::chrono::seconds(60)),
            std::vector<std::uint32_t>{7});
  EXPECT_EQ(classes_of(*names, kAddress, kStart + std::chrono::seconds(60) + DynamicNames::kGrace),
            std::vector<std::uint32_t>{});
}

TEST(DynamicNames, OneAddressMayStandForSeveralNames) {
  auto names = std::make_unique<DynamicNames>();
  names->install(kAddress, name_hash("a.example"), 7, 60, kStart);
  names->install(kAddress, name_hash("b.example"), 8, 60, kStart);
  names->install(kAddress, name_hash("a.example"), 7, 60, kStart);
  EXPECT_EQ(classes_of(*names, kAddress, kStart).size(), 2U);
  EXPECT_EQ(names->size(kStart), 2U);
}

TEST(DynamicNames, AFullSetGivesUpTheEntryThatEndsFirst) {
  auto names = std::make_unique<DynamicNames>();
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    names->install(IpAddress::v4(0xc6000000 + i), name_hash("flood.example"), 9, 600, kStart);
    EXPECT_EQ(classes_of(*names, IpAddress::v4(0xc6000000 + i), kStart).size(), 1U);
  }
  EXPECT_LE(names->size(kStart), DynamicNames::kCapacity);
}

TEST(DynamicNames, RebindForgetsNamesThatTheNewSnapshotDoesNotKnow) {
  auto names = std::make_unique<DynamicNames>();
  names->install(kAddress, name_hash("stays.example"), 7, 60, kStart);
  names->install(kAddress, name_hash("goes.example"), 8, 60, kStart);
  names->rebind([](std::uint64_t name) -> std::optional<std::uint32_t> {
    if (name == name_hash("stays.example")) return 21;
    return std::nullopt;
  });
  EXPECT_EQ(classes_of(*names, kAddress, kStart), std::vector<std::uint32_t>{21});
}

}  // namespace
}  // namespace sallyport::dataplane
