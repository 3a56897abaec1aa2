#include "control/app/events.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "control/config/problems.h"
#include "policy/os/log.h"

namespace sallyport::control {

void Events::add(std::int64_t time_s, const std::string& source, const std::string& kind,
                 const std::string& json) {
  Event event;
  event.number = ++total_;
  event.time_s = time_s;
  event.source = source;
  event.kind = quote(kind);
  const auto parsed = json.size() <= kMaxText ? nlohmann::json::parse(json, nullptr, false)
                                              : nlohmann::json(nlohmann::json::value_t::discarded);
  const auto replace = nlohmann::json::error_handler_t::replace;
  event.detail = parsed.is_object() ? parsed.dump(-1, ' ', true, replace)
                                    : nlohmann::json{{"text", json.substr(0, kMaxText)}}.dump(
                                          -1, ' ', true, replace);
  os::log::warning(fmt::format("event {} from {}: {}", event.kind, source, event.detail));
  events_.push_back(std::move(event));
  if (events_.size() > kMaxEvents) events_.pop_front();
}

nlohmann::json Events::to_json(std::size_t limit) const {
  nlohmann::json out = nlohmann::json::array();
  const std::size_t first = events_.size() > limit ? events_.size() - limit : 0;
  for (std::size_t i = first; i < events_.size(); ++i) {
    const Event& event = events_[i];
    out.push_back({{"number", event.number},
                   {"time", event.time_s},
                   {"source", event.source},
                   {"kind", event.kind},
                   {"detail", nlohmann::json::parse(event.detail, nullptr, false)}});
  }
  return out;
}

}  // namespace sallyport::control
