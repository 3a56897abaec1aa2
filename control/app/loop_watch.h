// How long each turn of the main loop takes, and which part of it: the loop never blocks for more
// than kBound (design.md §2), and what is not measured is not kept.
//
// Use: begin(), then after(PART) behind each part, then end(), each turn. Thread: the loop's.
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

namespace sallyport::control {

class LoopWatch {
 public:
  using Span = std::chrono::microseconds;
  static constexpr std::chrono::milliseconds kBound{50};
  // Between two alerts.
  static constexpr std::chrono::minutes kQuiet{1};

  void begin();
  // `part` must outlive the watch.
  void after(const char* part);
  // What to alert, if this turn was late and no other was told of lately.
  std::optional<std::string> end();

  nlohmann::json to_json() const;
  // Of the longest turn: on the clock, and in processor time of this thread alone.
  Span longest() const { return longest_; }
  Span longest_cpu() const { return longest_cpu_; }
  std::uint64_t late() const { return late_; }

 private:
  struct Reading {
    std::chrono::steady_clock::time_point wall;
    Span cpu{0};
  };
  static Reading read();

  Reading started_;
  Reading part_started_;
  Span slowest_part_{0};
  const char* slowest_name_ = "";
  std::uint64_t turns_ = 0;
  std::uint64_t late_ = 0;
  Span longest_{0};
  Span longest_cpu_{0};
  std::string longest_part_;
  std::optional<std::chrono::steady_clock::time_point> told_;
};

}  // namespace sallyport::control
