// What the classifier's tables may not say about where addresses live and who is bound where
// (policy/wire/verify_tables.cc). One case for each way of failing each check, and cases at the
// bounds that must pass.
#include <gtest/gtest.h>

#include "tests/support/policy/draft_tables.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/unit/wire/verdicts.h"

namespace sallyport::wire {
namespace {

using testing::Draft;

std::array<std::uint8_t, 6> bytes_of(const draft::Mac& mac) {
  std::array<std::uint8_t, 6> out{};
  std::copy_n(mac.bytes()->data(), out.size(), out.begin());
  return out;
}

const Case kIntervals[] = {
    {"IPv4: reserved bits", [](Draft& d) { d.intervals4[2].mutate_reserved(1); },
     "intervals4: entry 2: reserved bits are set"},
    {"IPv6: reserved bits", [](Draft& d) { d.intervals6[2].mutate_reserved(1); },
     "intervals6: entry 2: reserved bits are set"},
    {"a source class past the end",
     [](Draft& d) { testing::interval_of(d, 0).mutate_source_class(testing::classes_of(d)); },
     "class out of range"},
    {"a destination class past the end",
     [](Draft& d) { testing::interval_of(d, 0).mutate_destination_class(testing::classes_of(d)); },
     "class out of range"},
    {"in no segment", [](Draft& d) { testing::interval_of(d, 0).mutate_segment(77); },
     "no such segment"},
    {"a device nowhere", [](Draft& d) { d.intervals4[0].mutate_device(0); }, "a device nowhere"},
    {"a device at a virtual address",
     [](Draft& d) {
       testing::first(d.intervals4, [](const auto& i) {
         return i.segment() == kVirtual;
       }).mutate_device(0);
     },
     "a device nowhere"},
    {"a source at a virtual address",
     [](Draft& d) {
       testing::first(d.intervals4, [](const auto& i) {
         return i.segment() == kVirtual;
       }).mutate_source_class(1);
     },
     "a source that is in no segment"},
    {"a source nowhere", [](Draft& d) { d.intervals4[0].mutate_source_class(1); },
     "a source that is in no segment"},
    {"a destination nowhere", [](Draft& d) { d.intervals4[0].mutate_destination_class(1); },
     "a destination that is nowhere"},
    {"the gateway's address widened",
     [](Draft& d) {
       draft::Interval4& next = testing::after(d, testing::interval_of_gateway(d, 0));
       next.mutate_first(next.first() + 1);
     },
     "not the gateway's address"},
    {"the gateway at a device's address",
     [](Draft& d) { testing::interval_of(d, 0).mutate_device(kGatewayHost); },
     "not the gateway's address"},
    {"a device that is not there", [](Draft& d) { testing::interval_of(d, 0).mutate_device(4); },
     "no such device"},
    {"a device that is a hole",
     [](Draft& d) {
       d.devices.emplace_back();
       d.device_names.emplace_back();
       testing::interval_of(d, 0).mutate_device(4);
     },
     "no such device"},
    {"a device outside its segment", [](Draft& d) { testing::interval_of(d, 0).mutate_segment(2); },
     "a device outside its segment"},
    {"a device's address widened",
     [](Draft& d) {
       draft::Interval4& next = testing::after(d, testing::interval_of(d, 2));
       next.mutate_first(next.first() + 1);
     },
     "not the device's address"},
    {"a device's address given to another",
     [](Draft& d) { testing::interval_of(d, 0).mutate_device(1); }, "not the device's address"},
    {"a device's address given to nobody",
     [](Draft& d) { testing::interval_of(d, 0).mutate_device(kNoDevice); },
     "a listed address is not found, or listed twice"},
    {"the gateway's address given to nobody",
     [](Draft& d) { testing::interval_of_gateway(d, 0).mutate_device(kNoDevice); },
     "a listed address is not found, or listed twice"},
    {"an address of no device",
     [](Draft& d) { d.device_addresses.push_back(d.device_addresses[0]); },
     "device_addresses: one belongs to no device"},
    {"a name's class past the end",
     [](Draft& d) { d.names[0]->destination_class = testing::classes_of(d); },
     "names: broker.example: class out of range"},
};

const Case kPartitions[] = {
    {"IPv4 without its beginning", [](Draft& d) { d.intervals4[0].mutate_first(1); },
     "intervals4: does not start at the lowest address"},
    {"IPv6 without its beginning", [](Draft& d) { d.intervals6[0].mutate_first_low(1); },
     "intervals6: does not start at the lowest address"},
    {"no IPv4", [](Draft& d) { d.intervals4.clear(); },
     "intervals4: does not start at the lowest address"},
    {"no IPv6", [](Draft& d) { d.intervals6.clear(); },
     "intervals6: does not start at the lowest address"},
    {"IPv4 out of order", [](Draft& d) { std::swap(d.intervals4[3], d.intervals4[4]); },
     "intervals4: not ascending at entry"},
    // An interval of no addresses.
    {"IPv4 twice at one place",
     [](Draft& d) { d.intervals4.insert(d.intervals4.begin() + 1, d.intervals4[0]); },
     "intervals4: not ascending at entry 0"},
    {"IPv6 twice at one place",
     [](Draft& d) { d.intervals6.insert(d.intervals6.begin() + 1, d.intervals6[0]); },
     "intervals6: not ascending at entry 0"},
    {"mapped IPv4 addresses somewhere",
     [](Draft& d) {
       testing::first(d.intervals6, [](const auto& i) {
         return testing::start_of(i) == Uint128{0xffff} << 32;
       }).mutate_segment(0);
     },
     "IPv4-mapped addresses are somewhere"},
    {"the last mapped address somewhere",
     [](Draft& d) {
       const auto at = std::find_if(d.intervals6.begin(), d.intervals6.end(), [](const auto& i) {
         return testing::start_of(i) > Uint128{0xffff} << 32;
       });
       d.intervals6.emplace(at, 0U, 0xffffffffffffU, kNoDevice, 0U, 0U, std::uint16_t{0},
                            std::uint16_t{0});
     },
     "IPv4-mapped addresses are somewhere"},
    {"the last address before the mapped ones, and more, somewhere",
     [](Draft& d) {
       const auto at = std::find_if(d.intervals6.begin(), d.intervals6.end(), [](const auto& i) {
         return testing::start_of(i) == Uint128{0xffff} << 32;
       });
       at->mutate_first_low(0xffff00000001U);
       d.intervals6.emplace(at, 0U, 0xfffeffffffffU, kNoDevice, 0U, 0U, std::uint16_t{0},
                            std::uint16_t{0});
     },
     "IPv4-mapped addresses are somewhere"},
    {"what ends before the mapped addresses may be somewhere",
     [](Draft& d) { d.intervals6[0].mutate_segment(0); }, kAccepted},
};

const Case kBinding[] = {
    {"a size that is no power of two", [](Draft& d) { d.bind_table.pop_back(); },
     "bind_table: size is not a power of two"},
    {"reserved bits", [](Draft& d) { d.bind_table[0].mutate_reserved(1); },
     "bind_table: entry 0: reserved bits"},
    {"a device that is not there",
     [](Draft& d) {
       testing::first(d.bind_table, [](const auto& s) { return s.device() == 0; }).mutate_device(4);
     },
     "no such device"},
    {"a device that is a hole",
     [](Draft& d) {
       d.devices.emplace_back();
       d.device_names.emplace_back();
       testing::first(d.bind_table, [](const auto& s) { return s.device() == 0; }).mutate_device(4);
     },
     "no such device"},
    // Found where it stands, and yet not the device's.
    {"another MAC of the same hash",
     [](Draft& d) {
       testing::hash_devices(d, 16);
       draft::BindSlot& slot =
           testing::first(d.bind_table, [](const auto& s) { return s.device() == 0; });
       std::array<std::uint8_t, 6> mac = bytes_of(slot.mac());
       const auto home = [&] { return mac_hash(mac) & 15U; };
       for (const auto wanted = home(); ++mac[1], home() != wanted;) continue;
       slot.mutable_mac() =
           draft::Mac(flatbuffers::span<const std::uint8_t, 6>(mac.data(), mac.size()));
     },
     "not this device's MAC"},
    {"a MAC in an empty entry",
     [](Draft& d) {
       testing::first(d.bind_table, [](const auto& s) {
         return s.device() == kNoDevice;
       }).mutable_mac() = d.devices[0].mac();
     },
     "not empty"},
    {"a device that is missing",
     [](Draft& d) {
       d.devices.pop_back();
       testing::hash_devices(d, 8);
       d.devices.push_back(
           testing::draft_of(testing::compiled(testing::sample_gateway()).snapshot).devices[3]);
     },
     "bind_table: a device is missing"},
    {"no table at all", [](Draft& d) { d.bind_table.clear(); }, "bind_table: a device is missing"},
    {"a device twice",
     [](Draft& d) {
       testing::hash_devices(d, 8);
       const draft::BindSlot one = d.bind_table[mac_hash(bytes_of(d.devices[0].mac())) & 7U];
       for (draft::BindSlot& slot : d.bind_table)
         if (slot.device() == kNoDevice) slot = one;
     },
     "bind_table: entry"},
    {"larger than it needs to be", [](Draft& d) { testing::hash_devices(d, 64); }, kAccepted},
};

TEST(SnapshotPartitions, Intervals) { judge(kIntervals); }
TEST(SnapshotPartitions, WholeSpaces) { judge(kPartitions); }
TEST(SnapshotPartitions, Binding) { judge(kBinding); }

}  // namespace
}  // namespace sallyport::wire
