// Which DNS names the snapshot lets the dataplane learn addresses for. The dataplane reads a
// resolver's answer as it leaves or enters a host stack; each question name that is found here
// yields the destination class under which the answered addresses are installed (bounded, timed:
// the dataplane's own table) and later handed to Classifier::classify.
//
// Valid inputs: any bytes. noexcept, no allocation; binary search over the snapshot in place.
// Source: RFC 1035 §3.1 (wire form), RFC 4343 (case).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "policy/base/bytes.h"
#include "policy/wire/snapshot.h"

namespace sallyport::decide {

class Names {
 public:
  constexpr Names() noexcept = default;
  explicit Names(const wire::SnapshotView& snapshot) noexcept : names_(snapshot.root().names()) {}

  // `wire_name`: uncompressed labels up to and including the root's zero byte, exactly. Nothing for
  // anything else (compression pointers, over 255 bytes, trailing bytes, bytes that no host name
  // has).
  std::optional<std::uint32_t> destination_class(ConstBytes wire_name) const noexcept;
  // Text form without trailing dot, any case.
  std::optional<std::uint32_t> destination_class(std::string_view name) const noexcept;

 private:
  const flatbuffers::Vector<flatbuffers::Offset<wire::Name>>* names_ = nullptr;
};

}  // namespace sallyport::decide
