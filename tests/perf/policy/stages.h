// One configuration's way through load, compile, prove, verify and listing, each timed by itself on
// the processor's clock of this thread, so that other programs on the machine do not count.
//
// Aborts on a text with mistakes and on a proof that does not hold: such a figure would mean
// nothing.
#pragma once

#include <cstddef>
#include <string>

namespace sallyport::bench {

struct Stages {
  double load_ms = 0;
  double compile_ms = 0;
  double prove_ms = 0;
  double verify_ms = 0;
  double list_ms = 0;
  std::size_t snapshot_bytes = 0;
  std::size_t intervals = 0;
  std::size_t boxes = 0;
  std::size_t steps = 0;
};

Stages run_stages(const std::string& text);

}  // namespace sallyport::bench
