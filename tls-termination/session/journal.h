// What operators must hear of. Told on the loop's thread; bounded by the engine (a peer that fails
// often is counted, not repeated).
#pragma once

#include <string>
#include <string_view>

namespace sallyport::terminator {

class Journal {
 public:
  virtual ~Journal() = default;
  // `json` is an object. kinds: "session-failed", "request-refused", "conduit-closed",
  // "conduit-opened", "session-cut".
  virtual void event(std::string_view kind, const std::string& json) = 0;
};

}  // namespace sallyport::terminator
