// Target: wire::SnapshotView::verify, every lookup behind it, prove::prove and prove::report.
// Trust: untrusted (a mapping handed over by another process). Property: never crashes or reads
// outside the bytes; whatever is accepted can be walked by every lookup, the lookups agree with the
// tables, and it can be held against any configuration and listed.
//
// First byte odd: the rest is a whole snapshot. Even: the rest is a body, sealed here, so that the
// digest does not keep the fuzzer from the structure and the meaning.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "policy/base/check.h"
#include "policy/prove/prove.h"
#include "policy/prove/report.h"
#include "policy/wire/snapshot.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/support/policy/walk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using sallyport::ConstBytes;
  if (size == 0) return 0;
  const ConstBytes rest(data + 1, size - 1);
  std::vector<std::uint8_t> bytes(rest.begin(), rest.end());
  if ((data[0] & 1) == 0) {
    std::uint64_t revision = 1;
    // What the body says, where a body of our seeds says it; else 1.
    if (bytes.size() > 16 && sallyport::wire::SnapshotBufferHasIdentifier(bytes.data())) {
      flatbuffers::Verifier verifier(bytes.data(), bytes.size());
      if (sallyport::wire::VerifySnapshotBuffer(verifier))
        revision = sallyport::wire::GetSnapshot(bytes.data())->revision();
    }
    bytes = sallyport::wire::seal_snapshot(revision, bytes);
  }
  const auto view = sallyport::wire::SnapshotView::verify(bytes);
  if (!view) return 0;
  sallyport::testing::walk(*view);
  static const auto kMeant = sallyport::testing::sample_gateway();
  const auto proof = sallyport::prove::prove(*view, kMeant, std::nullopt);
  SALLYPORT_CHECK(!sallyport::prove::to_text(proof).empty());
  SALLYPORT_CHECK(sallyport::prove::report(*view, proof, "gateway", "").has_value());
  return 0;
}
