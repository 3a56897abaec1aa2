#include "tests/perf/policy/stages.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "control/config/load.h"
#include "policy/compile/compile.h"
#include "policy/prove/prove.h"
#include "policy/prove/report.h"

namespace sallyport::bench {
namespace {

double now_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

template <class Work>
auto timed(double& ms, Work work) {
  const double start = now_ms();
  auto out = work();
  ms = now_ms() - start;
  return out;
}

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "bench policy: {}\n", why);
  std::abort();
}

}  // namespace

Stages run_stages(const std::string& text) {
  Stages out;
  const auto gateway = timed(out.load_ms, [&] { return control::load_config(text); });
  if (!gateway) give_up(model::to_string(gateway.error().front(), "plant"));
  compile::CompileInput input;
  input.revision = 1;
  const auto compiled = timed(out.compile_ms, [&] { return compile::compile(*gateway, input); });
  if (!compiled) give_up(model::to_string(compiled.error().front(), "plant"));
  out.snapshot_bytes = compiled->snapshot.size();
  const auto view =
      timed(out.verify_ms, [&] { return wire::SnapshotView::verify(compiled->snapshot); });
  if (!view) give_up(view.error().context);
  const auto proof =
      timed(out.prove_ms, [&] { return prove::prove(*view, *gateway, std::nullopt); });
  if (!proof.holds()) give_up(prove::to_text(proof));
  out.intervals = proof.intervals;
  out.boxes = proof.boxes;
  out.steps = proof.steps;
  const auto listed = timed(out.list_ms, [&] { return prove::report(*view, proof, "", ""); });
  if (!listed) give_up(listed.error().context);
  return out;
}

}  // namespace sallyport::bench
