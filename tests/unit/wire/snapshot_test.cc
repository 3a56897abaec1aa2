// The snapshot as bytes: header, digest, structure. What the structure says is judged in
// snapshot_meaning_test.cc.
#include "policy/wire/snapshot.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstring>
#include <set>

#include "policy/wire/digest.h"
#include "tests/support/policy/sample_gateway.h"

namespace sallyport::wire {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::string code_of(ConstBytes bytes) {
  const auto view = SnapshotView::verify(bytes);
  return view ? std::string("accepted") : view.error().code;
}

// A plant of one segment: small, so that every bit can be tried.
Bytes small_snapshot() {
  model::Gateway gateway;
  gateway.ports = {{"lan1", "net_null0", {1, 1}}};
  model::Segment field;
  field.name = "field";
  field.members = {{"lan1", 0}};
  field.addresses = {testing::own("10.0.0.1", 24), testing::own("fd00::1", 64)};
  field.services = model::kDns;
  gateway.segments = {field};
  gateway.devices = {{"plc",
                      "field",
                      {"lan1", 0},
                      testing::mac("02:00:00:00:00:05"),
                      {testing::ip("10.0.0.5")},
                      false,
                      {2, 1}}};
  return testing::compiled(gateway, {.revision = 7,
                                     .today = {},
                                     .unit_id = 1,
                                     .config_name = "g.yaml",
                                     .config_sha256 = {},
                                     .previous = {}})
      .snapshot;
}

// The digest of the header made right again, so that what follows it is judged.
Bytes resealed(const Bytes& bytes) {
  return seal_snapshot(7, ConstBytes(bytes).subspan(kSnapshotHeaderSize));
}

TEST(Snapshot, IsAcceptedAsItWasMade) {
  const Bytes bytes = small_snapshot();
  const auto view = SnapshotView::verify(bytes);
  ASSERT_TRUE(view) << view.error().context;
  EXPECT_EQ(view->revision(), 7U);
  EXPECT_EQ(text(view->segment(std::uint16_t{0})->name()), "field");
  EXPECT_EQ(view->segment(std::uint16_t{1}), nullptr);
  EXPECT_EQ(view->device_name(0), "plc");
  EXPECT_EQ(view->device_name(1), "");
  ASSERT_NE(view->host_address(0, IpVersion::k6), nullptr);
  EXPECT_EQ(to_ip(*view->host_address(0, IpVersion::k6)), testing::ip("fd00::1"));
}

TEST(Snapshot, EachFlippedBitIsRefused) {
  Bytes bytes = small_snapshot();
  std::set<std::string> codes;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const std::string code = code_of(bytes);
    EXPECT_NE(code, "accepted") << "bit " << bit;
    codes.insert(code);
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  }
  EXPECT_EQ(codes, (std::set<std::string>{"snapshot-bad-magic", "snapshot-wrong-version",
                                          "snapshot-bad-meaning", "snapshot-truncated",
                                          "snapshot-bad-digest", "snapshot-bad-header"}));
  EXPECT_EQ(code_of(bytes), "accepted");
}

TEST(Snapshot, EachPartOfTheHeaderHasItsCode) {
  struct Case {
    const char* name;
    std::size_t offset;
    const char* code;
  };
  const Case cases[] = {
      {.name = "magic", .offset = 0, .code = "snapshot-bad-magic"},
      {.name = "schema", .offset = 8, .code = "snapshot-wrong-version"},
      {.name = "revision", .offset = 24, .code = "snapshot-bad-meaning"},
      {.name = "body size", .offset = 32, .code = "snapshot-truncated"},
      {.name = "digest", .offset = 40, .code = "snapshot-bad-digest"},
      {.name = "reserved", .offset = 72, .code = "snapshot-bad-header"},
      {.name = "body", .offset = 80, .code = "snapshot-bad-digest"},
  };
  for (const Case& c : cases) {
    Bytes bytes = small_snapshot();
    bytes[c.offset] ^= 1;
    EXPECT_EQ(code_of(bytes), c.code) << c.name;
  }
}

TEST(Snapshot, TruncatedAtEveryLengthIsRefused) {
  const Bytes bytes = small_snapshot();
  for (std::size_t size = 0; size < bytes.size(); ++size)
    EXPECT_EQ(code_of(Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size))),
              "snapshot-truncated")
        << size;
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_EQ(code_of(longer), "snapshot-truncated");
}

TEST(Snapshot, SealedGarbageHasNoStructure) {
  EXPECT_EQ(code_of(seal_snapshot(1, {})), "snapshot-bad-structure");
  for (std::size_t size = 1; size < 64; ++size)
    EXPECT_EQ(code_of(seal_snapshot(1, Bytes(size, 0xff))), "snapshot-bad-structure") << size;
  EXPECT_EQ(code_of(seal_snapshot(1, Bytes(1024, 0))), "snapshot-bad-structure");
}

// The same snapshot with one vector of 8-byte-aligned structs copied behind the rest, its first
// entry `off` bytes from where it may lie.
Bytes with_moved_table(flatbuffers::voffset_t field, std::size_t off) {
  Bytes bytes = small_snapshot();
  const auto* root = GetSnapshot(bytes.data() + kSnapshotHeaderSize);
  const auto at = static_cast<std::size_t>(
      reinterpret_cast<const flatbuffers::Table*>(root)->GetAddressOf(field) - bytes.data());
  flatbuffers::uoffset_t to_vector = 0;
  std::memcpy(&to_vector, bytes.data() + at, sizeof(to_vector));
  const auto begin = bytes.begin() + static_cast<std::ptrdiff_t>(at + to_vector);
  const Bytes vector(begin, bytes.end());  // and all behind it: long enough
  bytes.resize((bytes.size() + 7) / 8 * 8 + 4 + off);
  to_vector = static_cast<flatbuffers::uoffset_t>(bytes.size() - at);
  std::memcpy(bytes.data() + at, &to_vector, sizeof(to_vector));
  bytes.insert(bytes.end(), vector.begin(), vector.end());
  return resealed(bytes);
}

TEST(Snapshot, ATableThatDoesNotLieWhereItsEntriesMayIsRefused) {
  for (const auto field : {Snapshot::VT_INTERVALS6, Snapshot::VT_PAIRS, Snapshot::VT_RULES}) {
    EXPECT_EQ(code_of(with_moved_table(field, 0)), "accepted") << field;
    EXPECT_EQ(code_of(with_moved_table(field, 4)), "snapshot-bad-structure") << field;
  }
}

// With the digest made right, a flipped bit is either refused or harmless text: never a crash, and
// whatever is accepted can be read whole.
TEST(Snapshot, FlippedAndResealedIsJudgedByStructureAndMeaning) {
  const Bytes whole = small_snapshot();
  std::size_t refused = 0;
  std::size_t accepted = 0;
  for (std::size_t bit = 8 * kSnapshotHeaderSize; bit < 8 * whole.size(); ++bit) {
    Bytes bytes = whole;
    bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    const std::string code = code_of(resealed(bytes));
    ++(code == "accepted" ? accepted : refused);
    EXPECT_TRUE(code == "accepted" || code == "snapshot-bad-structure" ||
                code == "snapshot-bad-meaning")
        << code;
  }
  // Names, meanings, digests and padding are most of such a small one.
  EXPECT_GT(refused, accepted / 2);
}

TEST(Snapshot, WhatIsTooLargeIsNotEvenRead) {
  // Never touched, so it costs nothing.
  void* memory = ::mmap(nullptr, kMaxSnapshotSize + 1, PROT_READ,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  const auto* bytes = static_cast<const std::uint8_t*>(memory);
  EXPECT_EQ(code_of({bytes, kMaxSnapshotSize + 1}), "snapshot-too-large");
  EXPECT_EQ(code_of({bytes, kMaxSnapshotSize}), "snapshot-bad-magic");
  ::munmap(memory, kMaxSnapshotSize + 1);
}

TEST(Snapshot, PartsAreFoundBySlotAndByName) {
  // Slot 0 of each was another's in the revision before.
  compile::CompileInput input;
  input.previous.ports = {{"old", 0}};
  input.previous.segments = {{"old", 0}};
  input.previous.conduits = {{"old", 0}, {"older", 1}};
  input.previous.devices = {{"old", 0}};
  const auto compiled = testing::compiled(testing::sample_gateway(), input);
  const SnapshotView view = testing::view_of(compiled);
  EXPECT_EQ(view.segment(std::uint16_t{0}), nullptr);
  EXPECT_EQ(text(view.segment(std::uint16_t{3})->name()), "office");
  EXPECT_EQ(view.segment(std::uint16_t{4}), nullptr);
  EXPECT_EQ(view.segment("office")->slot(), 3);
  EXPECT_EQ(view.segment("old"), nullptr);
  EXPECT_EQ(view.port(std::uint16_t{0}), nullptr);
  EXPECT_EQ(view.port("lan3")->slot(), 4);
  EXPECT_EQ(view.port("old"), nullptr);
  EXPECT_EQ(view.conduit(1), nullptr);
  EXPECT_EQ(text(view.conduit(2)->name()), "scada-reads-press4");
  EXPECT_EQ(view.conduit(200), nullptr);
  EXPECT_EQ(view.device_name(0), "");
  EXPECT_EQ(view.device_name(1), "press4");
  EXPECT_EQ(view.host_address(0, IpVersion::k4), nullptr);
  EXPECT_EQ(to_ip(*view.host_address(3, IpVersion::k4)), testing::ip("10.30.0.1"));
}

TEST(Snapshot, MisalignedMemoryIsTheCallersFault) {
  const Bytes bytes = small_snapshot();
  Bytes shifted = bytes;
  shifted.insert(shifted.begin(), 0);
  const auto view = SnapshotView::verify(ConstBytes(shifted).subspan(1));
  ASSERT_FALSE(view);
  EXPECT_EQ(view.error().code, "snapshot-misaligned");
  EXPECT_EQ(view.error().kind, ErrorKind::kUsage);
}

}  // namespace
}  // namespace sallyport::wire
