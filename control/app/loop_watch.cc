#include "control/app/loop_watch.h"

#include <fmt/format.h>

#include <ctime>
#include <nlohmann/json.hpp>

namespace sallyport::control {
namespace {

double in_ms(LoopWatch::Span span) { return static_cast<double>(span.count()) / 1000.0; }

}  // namespace

LoopWatch::Reading LoopWatch::read() {
  timespec cpu{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  return {std::chrono::steady_clock::now(),
          std::chrono::duration_cast<Span>(std::chrono::seconds(cpu.tv_sec) +
                                           std::chrono::nanoseconds(cpu.tv_nsec))};
}

void LoopWatch::begin() {
  started_ = part_started_ = read();
  slowest_part_ = Span(0);
}

void LoopWatch::after(const char* part) {
  const Reading now = read();
  const Span took = std::chrono::duration_cast<Span>(now.wall - part_started_.wall);
  if (took > slowest_part_) {
    slowest_part_ = took;
    slowest_name_ = part;
  }
  part_started_ = now;
}

std::optional<std::string> LoopWatch::end() {
  const Reading now = read();
  const Span took = std::chrono::duration_cast<Span>(now.wall - started_.wall);
  ++turns_;
  longest_cpu_ = std::max(longest_cpu_, now.cpu - started_.cpu);
  if (took > longest_) {
    longest_ = took;
    longest_part_ = slowest_name_;
  }
  if (took <= kBound) return std::nullopt;
  ++late_;
  if (told_ && now.wall - *told_ < kQuiet) return std::nullopt;
  told_ = now.wall;
  return fmt::format(
      "a turn of the main loop took {:.1f} ms, {:.1f} ms of it for '{}'; {} of {} "
      "turns were longer than {} ms",
      in_ms(took), in_ms(slowest_part_), slowest_name_, late_, turns_, kBound.count());
}

nlohmann::json LoopWatch::to_json() const {
  return {{"turns", turns_},
          {"late", late_},
          {"bound_ms", kBound.count()},
          {"longest_ms", in_ms(longest_)},
          {"longest_part", longest_part_}};
}

}  // namespace sallyport::control
