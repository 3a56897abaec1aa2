// Target functions: control::load_config and the rendering of its problems. Trust level: an
// operator's file, which may be damaged or hostile. Property: any bytes end in a gateway or in a
// bounded list of printable problems with positions inside the file, each with what to write
// instead; nothing is thrown, memory stays bounded.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "control/config/load.h"
#include "policy/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto loaded = sallyport::control::load_config(text);
  if (loaded) return 0;
  SALLYPORT_CHECK(!loaded.error().empty());
  SALLYPORT_CHECK(loaded.error().size() <= sallyport::control::kMaxProblems + 1);
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) +
                     static_cast<std::size_t>(std::count(text.begin(), text.end(), '\r')) + 1;
  for (const auto& problem : loaded.error()) {
    SALLYPORT_CHECK(problem.at.line <= lines);
    SALLYPORT_CHECK(!problem.hint.empty());
  }
  for (const char c : sallyport::control::format_problems("f", loaded.error()))
    SALLYPORT_CHECK((c >= ' ' && c <= '~') || c == '\n');
  return 0;
}
