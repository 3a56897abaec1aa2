// The pictures of docs/measurements/storm-model.md and of the design note.
#pragma once

#include <string>
#include <vector>

#include "tests/perf/storm/play.h"

namespace sallyport::storm {

struct Picture {
  std::string file, title, svg;
};
// Of those storms that are among `outcomes`.
std::vector<Picture> pictures(const std::vector<Outcome>& outcomes);

}  // namespace sallyport::storm
