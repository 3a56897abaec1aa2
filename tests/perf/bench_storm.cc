#include <cstdio>
#include <cstdlib>
#include <new>
#include "tests/perf/storm/gate.h"
#include "tests/perf/storm/scenario.h"
namespace {
std::uint64_t count = 0;
}
void* operator new(std::size_t size) {
  ++count;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
namespace sallyport::storm {
std::uint64_t allocations() { return count; }
}  // namespace sallyport::storm
using namespace sallyport::storm;
int main(int argc, char** argv) {
  Scenario s;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string k = argv[i];
    const double v = atof(argv[i + 1]);
    if (k == "n") s.clients = (unsigned)v;
    if (k == "c") s.capacity = v;
    if (k == "spread") s.spread_s = v;
    if (k == "stack") s.stack = (Stack)(int)v;
    if (k == "timeout") s.app_timeout_s = v;
    if (k == "pause") s.pause.s = v;
    if (k == "jitter") s.pause.jittered = v != 0;
    if (k == "policy") s.policy = (Policy)(int)v;
    if (k == "mishap") s.mishap = (Mishap)(int)v;
    if (k == "ceiling") s.ceiling = v;
    if (k == "workers") s.workers = (unsigned)v;
    if (k == "aggressive") s.aggressive = v != 0;
    if (k == "high") s.high_class = v != 0;
    if (k == "resumed") s.resumed = v;
    if (k == "stall") s.stall_share = v;
    if (k == "seed") s.seed = (unsigned)v;
  }
  const Result r = run(s);
  std::printf(
      "T* %.2f bound %.3f | R %.4f R99 %.4f R50 %.3f | peak %.3f 1s %.3f | jain %.4f mean %.4f "
      "gain %.3f | waste %.4f syn %.2f ssyn %.3f strag %.4f | follow %.2f (%.2f) lost %.4f high "
      "%.3f | "
      "alloc %lu events %.1fM wall %.2fs\n",
      r.optimum_s, r.bound_s / r.optimum_s, r.stretch(), r.stretch99(), r.stretch50(), r.peak_100ms,
      r.peak_1s, r.jain_min, r.jain_mean, r.gain, r.waste, r.syns, r.server_syns, r.stragglers,
      r.follow_s, r.later_peak, r.lost, r.high_stretch, r.allocations, (double)r.events / 1e6,
      r.wall_s);
}
