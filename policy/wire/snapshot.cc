#include "policy/wire/snapshot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "policy/wire/digest.h"
#include "policy/wire/schema_hash.h"
#include "policy/wire/verify.h"

namespace sallyport::wire {
namespace {

// Neither text nor a common file type; the line ends show a transfer that "helped" (as PNG's do).
constexpr std::array<std::uint8_t, 8> kMagic = {0x8b, 'S', 'P', 'S', 'N', '\r', '\n', 0x1a};

struct Header {
  std::array<std::uint8_t, 8> magic = kMagic;
  std::array<std::uint8_t, 16> schema{};
  std::uint64_t revision = 0;
  std::uint64_t body_size = 0;
  Digest digest{};
  std::array<std::uint8_t, 8> reserved{};
};
static_assert(sizeof(Header) == kSnapshotHeaderSize && std::is_trivially_copyable_v<Header>);
static_assert(std::endian::native == std::endian::little, "header and tables are used in place");
static_assert(kSnapshotHeaderSize % 16 == 0, "the body keeps the alignment of the whole");

constexpr std::array<std::uint8_t, 16> schema_hash() {
  static_assert(kSnapshotSchemaSha256.size() == 64);
  constexpr auto nibble = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::array<std::uint8_t, 16> out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(nibble(kSnapshotSchemaSha256[2 * i]) << 4 |
                                       nibble(kSnapshotSchemaSha256[2 * i + 1]));
  return out;
}

auto refuse(const char* code, std::string context) {
  return fail(ErrorKind::kInvalid, code, std::move(context));
}

// Deep nesting and table counts are bounded before the structure is believed. The root is depth 1,
// a conduit 2, its termination 3.
constexpr flatbuffers::Verifier::Options kStructureBounds = {
    .max_depth = 8,
    .max_tables = static_cast<flatbuffers::uoffset_t>(3 * kMaxConduits + kMaxNames + kMaxPorts +
                                                      kMaxSegments + 1),
    .check_alignment = true,
    .check_nested_flatbuffers = false};

// FlatBuffers' verifier aligns a vector's length, not the structs behind it; its builder aligns
// them, where there are any.
template <class T>
bool aligned(const flatbuffers::Vector<const T*>* vector) {
  return vector->size() == 0 || reinterpret_cast<std::uintptr_t>(vector->Data()) % alignof(T) == 0;
}

bool tables_aligned(const Snapshot& root) {
  return aligned(root.members()) && aligned(root.devices()) && aligned(root.device_addresses()) &&
         aligned(root.bind_table()) && aligned(root.intervals4()) && aligned(root.intervals6()) &&
         aligned(root.pairs()) && aligned(root.ranges()) && aligned(root.rules());
}

template <class T>
std::span<const T> in_place(const flatbuffers::Vector<const T*>* vector) {
  static_assert(std::is_trivially_copyable_v<T>);
  return {reinterpret_cast<const T*>(vector->Data()), vector->size()};
}

Result<Header> check_header(ConstBytes bytes) {
  if (bytes.size() < kSnapshotHeaderSize)
    return refuse("snapshot-truncated",
                  fmt::format("{} bytes are less than a header", bytes.size()));
  if (bytes.size() > kMaxSnapshotSize)
    return refuse("snapshot-too-large",
                  fmt::format("{} bytes, at most {}", bytes.size(), kMaxSnapshotSize));
  Header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kMagic) return refuse("snapshot-bad-magic", "this is not a snapshot");
  if (header.schema != schema_hash())
    return refuse("snapshot-wrong-version",
                  "made for another schema; install the same version of every daemon");
  if (header.body_size != bytes.size() - kSnapshotHeaderSize)
    return refuse("snapshot-truncated",
                  fmt::format("header says {} bytes of body, there are {}", header.body_size,
                              bytes.size() - kSnapshotHeaderSize));
  if (header.reserved != decltype(header.reserved){})
    return refuse("snapshot-bad-header", "reserved bytes are not zero");
  return header;
}

}  // namespace

Result<SnapshotView> SnapshotView::verify(ConstBytes bytes) {
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kSnapshotAlignment != 0)
    return fail(ErrorKind::kUsage, "snapshot-misaligned", "memory is not aligned to 8 bytes");
  SALLYPORT_TRY(const Header header, check_header(bytes));
  const ConstBytes body = bytes.subspan(kSnapshotHeaderSize);
  if (sha256(body) != header.digest)
    return refuse("snapshot-bad-digest", "the body is not the one that was sealed");

  flatbuffers::Verifier verifier(body.data(), body.size(), kStructureBounds);
  if (!VerifySnapshotBuffer(verifier))
    return refuse("snapshot-bad-structure", "not a well-formed buffer of this schema");

  SnapshotView view;
  view.bytes_ = bytes;
  view.root_ = GetSnapshot(body.data());
  if (auto fault = presence_fault(*view.root_))
    return refuse("snapshot-bad-meaning", *std::move(fault));
  if (!tables_aligned(*view.root_))
    return refuse("snapshot-bad-structure", "a table does not lie where its entries may");
  if (view.root_->revision() != header.revision)
    return refuse("snapshot-bad-meaning", "header and body disagree about the revision");
  view.members_ = in_place(view.root_->members());
  view.devices_ = in_place(view.root_->devices());
  view.device_addresses_ = in_place(view.root_->device_addresses());
  view.bind_table_ = in_place(view.root_->bind_table());
  view.intervals4_ = in_place(view.root_->intervals4());
  view.intervals6_ = in_place(view.root_->intervals6());
  view.pairs_ = in_place(view.root_->pairs());
  view.ranges_ = in_place(view.root_->ranges());
  view.rules_ = in_place(view.root_->rules());
  if (auto fault = vocabulary_fault(view)) return refuse("snapshot-bad-meaning", *std::move(fault));
  if (auto fault = tables_fault(view)) return refuse("snapshot-bad-meaning", *std::move(fault));
  return view;
}

std::vector<std::uint8_t> seal_snapshot(std::uint64_t revision, ConstBytes body) {
  const Header header{.magic = kMagic,
                      .schema = schema_hash(),
                      .revision = revision,
                      .body_size = body.size(),
                      .digest = sha256(body),
                      .reserved = {}};
  std::vector<std::uint8_t> out(kSnapshotHeaderSize + body.size());
  std::memcpy(out.data(), &header, sizeof(header));
  std::copy(body.begin(), body.end(), out.begin() + kSnapshotHeaderSize);
  return out;
}

}  // namespace sallyport::wire
