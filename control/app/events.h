// What an operator must hear of: bounded, newest kept, each line also in the journal.
//
// Thread: the loop's. Events come from siblings, so kinds and texts are cleaned before they are
// kept.
#pragma once

#include <cstdint>
#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sallyport::control {

class Events {
 public:
  static constexpr std::size_t kMaxEvents = 1000;
  static constexpr std::size_t kMaxText = 4096;

  // `json` is an object's text, or a sentence; anything else is kept as a sentence.
  void add(std::int64_t time_s, const std::string& source, const std::string& kind,
           const std::string& json);
  // Oldest first, at most `limit` of the newest.
  nlohmann::json to_json(std::size_t limit) const;
  std::uint64_t total() const { return total_; }

 private:
  struct Event {
    std::uint64_t number = 0;
    std::int64_t time_s = 0;
    std::string source;
    std::string kind;
    std::string detail;  // JSON text
  };
  std::deque<Event> events_;
  std::uint64_t total_ = 0;
};

}  // namespace sallyport::control
