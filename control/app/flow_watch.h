// Keeps the flow log: asks the dataplane for its flows every kAskInterval, reads the answer beside
// the loop, and stores the log in <state>/control/flows.json. A file that does not verify is kept
// as flows.json.damaged and alerted; then the log begins anew.
//
// A flow that begins and ends between two questions is not seen, nor are more than kMaxAsked.
// Thread: the loop's.
#pragma once

#include "control/app/flow_log.h"
#include "control/app/parts.h"

namespace sallyport::control {

class FlowWatch {
 public:
  static constexpr Millis kAskInterval{10'000};
  static constexpr Millis kStoreInterval{60'000};
  // With more flows at once it does not ask: a copy of them must stay below some milliseconds.
  static constexpr std::size_t kMaxAsked = 50'000;

  explicit FlowWatch(Parts& parts) : parts_(parts) {}

  void run(Millis now);
  void wait() const;
  const FlowLog& log() const { return log_; }

 private:
  void load();
  void ask(Millis now);
  void ask_for_flows();
  void store(Millis now);
  std::string path() const { return parts_.settings.state_dir + "/flows.json"; }

  Parts& parts_;
  FlowLog log_;
  bool loading_ = false;
  bool loaded_ = false;
  bool asking_ = false;
  bool storing_ = false;
  bool stored_ = true;
  bool failing_ = false;
  bool too_many_ = false;
  Millis ask_at_{0};
  Millis store_at_{0};
};

}  // namespace sallyport::control
