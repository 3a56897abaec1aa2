// Target: compile::compile, decide::Classifier and prove::prove against the dumb twin. Trust:
// untrusted (the operator's text, after the loader). Property: for any configuration without
// contradictions, tables and words decide every packet alike; the compiler never hands out what the
// verifier refuses.
//
// The bytes are the source of all choices: first the plant, then the packets. When they run out the
// choices go on from a counter, so that a short input still makes a whole plant.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "policy/prove/prove.h"
#include "policy/wire/tables.h"
#include "tests/support/policy/comparison.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/support/policy/walk.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::size_t at = 0;
  std::uint64_t counter = size;
  sallyport::testing::Choices choices([&]() -> std::uint32_t {
    if (at < size) return data[at++];
    return static_cast<std::uint32_t>(sallyport::wire::mix64(++counter));
  });
  const auto agreed = sallyport::testing::agree(sallyport::testing::random_gateway(choices), {});
  if (!agreed) return 0;
  sallyport::testing::walk(sallyport::testing::view_of(agreed->compiled));
  const auto proof = sallyport::prove::prove(sallyport::testing::view_of(agreed->compiled),
                                             agreed->gateway, std::nullopt);
  if (!proof.holds()) {
    std::fprintf(stderr, "%s\n", sallyport::prove::to_text(proof).c_str());
    std::abort();
  }
  if (const auto difference = sallyport::testing::Comparison(*agreed, choices).run(200)) {
    std::fprintf(stderr, "%s\n", difference->c_str());
    std::abort();
  }
  return 0;
}
