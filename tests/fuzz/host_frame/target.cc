// Target: HostFrame (dataplane/tap/host_frame.h).
// Trust: untrusted; whoever is root in a segment's namespace can write any header and any frame.
// Property: never reads or writes outside the frame (asan); what comes out of a super-frame fits a
// wire, has right lengths and sums by a plain count, and carries the whole payload in its order;
// any other frame stays as it was but for its sum.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "dataplane/tap/host_frame.h"
#include "policy/base/check.h"
#include "tests/support/plain_sums.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sallyport;
  using namespace sallyport::dataplane;
  VnetHeader header;
  if (size < sizeof header) return 0;
  std::memcpy(&header, data, sizeof header);
  const ConstBytes frame(data + sizeof header, size - sizeof header);
  auto taken = HostFrame::of(header, frame);
  if (!taken) return 0;
  const bool is_super = taken->is_super();
  SALLYPORT_CHECK(!taken->done() && (is_super || taken->left() == 1));
  const std::size_t count = taken->left();
  std::vector<std::uint8_t> payload;
  std::size_t head = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<std::uint8_t> out(taken->next_size());
    SALLYPORT_CHECK(!taken->done());
    taken->next(out);
    if (!is_super) {
      const std::size_t at = std::size_t{header.sum_start} + header.sum_offset;
      if ((header.flags & VnetHeader::kNeedsSum) != 0)
        std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), 2,
                    out.begin() + static_cast<std::ptrdiff_t>(at));
      SALLYPORT_CHECK(std::ranges::equal(out, frame));
      continue;
    }
    SALLYPORT_CHECK(out.size() <= kEthernetSize + kMtu && testing::wrong_with(out).empty());
    const std::size_t tcp = header.sum_start;
    head = tcp + std::size_t{out[tcp + 12]} / 16 * 4;
    SALLYPORT_CHECK(out.size() > head && out.size() - head <= header.gso_size);
    payload.insert(payload.end(), out.begin() + static_cast<std::ptrdiff_t>(head), out.end());
  }
  SALLYPORT_CHECK(taken->done());
  if (is_super) SALLYPORT_CHECK(std::ranges::equal(payload, frame.subspan(head)));
  return 0;
}
