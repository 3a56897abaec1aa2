// Where the figures come from: control's socket, with questions that everybody may ask.
//
// Blocking, each question at most kWait. One thread.
#pragma once

#include <chrono>
#include <string>

#include "control/cli/client.h"
#include "control/exporter/figures.h"

namespace sallyport::exporter {

class Source {
 public:
  static constexpr std::chrono::milliseconds kWait{2'000};

  explicit Source(const std::string& run_dir) : client_(run_dir) {}

  // Once for however many ask within a second.
  const Answers& answers(std::chrono::steady_clock::time_point now);
  // Whether the revision in force has this segment with `role: management`; nothing if nobody
  // answers.
  std::optional<bool> manages(const std::string& segment) const;

 private:
  std::optional<nlohmann::json> ask(const control::OrderedJson& question) const;

  control::Client client_;
  Answers answers_;
  std::optional<std::chrono::steady_clock::time_point> asked_;
};

}  // namespace sallyport::exporter
