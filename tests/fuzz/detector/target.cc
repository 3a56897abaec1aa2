// Target functions: none of the product's. Trust level: not applicable. Property: deliberately
// broken.
//
// The detector of the detectors: it reads past its buffer on an input that no seed holds. `./dev
// check` fails when the fuzzer does NOT find that within its time, because then no other target's
// silence would mean anything.
#include <cstddef>
#include <cstdint>
#include <memory>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4 || data[0] != 'g' || data[1] != 'a' || data[2] != 't' || data[3] != 'e') return 0;
  const auto buffer = std::make_unique<std::uint8_t[]>(size);
  const volatile std::uint8_t* past_end = buffer.get() + size;
  [[maybe_unused]] const std::uint8_t byte = *past_end;
  return 0;
}
