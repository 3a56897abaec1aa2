// The start: reads the database some rows per turn, takes stock beside the loop
// (control/app/restore.h), and hands over what is to be in force. Once, as soon as there is a
// database.
//
// Thread: the loop's.
#pragma once

#include <string>
#include <vector>

#include "control/app/commits.h"
#include "control/app/ledger.h"
#include "control/app/parts.h"
#include "control/app/restore.h"

namespace sallyport::control {

class Boot {
 public:
  Boot(Parts& parts, Commits& commits, Ledger& ledger)
      : parts_(parts), commits_(commits), ledger_(ledger) {}
  void run();
  void wait() const;

 private:
  enum class Step : std::uint8_t { kConnecting, kReading, kTakingStock, kDone };
  void read_some();
  void judge();
  void restore(Present present);

  Parts& parts_;
  Commits& commits_;
  Ledger& ledger_;
  Step step_ = Step::kConnecting;
  std::vector<std::string> keys_;  // of Revision, still to be read
  Past past_;
};

}  // namespace sallyport::control
