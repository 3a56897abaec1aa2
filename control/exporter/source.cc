#include "control/exporter/source.h"

#include <algorithm>

namespace sallyport::exporter {
namespace {

constexpr std::chrono::seconds kFresh{1};

control::OrderedJson query(const char* what) { return {{"op", "query"}, {"what", what}}; }

}  // namespace

std::optional<nlohmann::json> Source::ask(const control::OrderedJson& question) const {
  const auto reply = client_.ask(question, {}, nullptr, kWait);
  if (!reply) return std::nullopt;
  return nlohmann::json(reply->result);
}

const Answers& Source::answers(std::chrono::steady_clock::time_point now) {
  if (asked_ && now - *asked_ < kFresh) return answers_;
  asked_ = now;
  answers_ = {};
  answers_.status = ask({{"op", "status"}});
  if (!answers_.status) return answers_;
  answers_.dataplane = ask(query("status"));
  answers_.counters = ask(query("counters"));
  answers_.terminator = ask(query("terminator"));
  return answers_;
}

std::optional<bool> Source::manages(const std::string& segment) const {
  const auto segments = ask({{"op", "show"}, {"what", "segments"}});
  if (!segments || !segments->is_array()) return std::nullopt;
  return std::any_of(segments->begin(), segments->end(), [&](const nlohmann::json& one) {
    return one.is_object() && one.value("name", nlohmann::json()) == segment &&
           one.value("role", nlohmann::json()) == "management";
  });
}

}  // namespace sallyport::exporter
