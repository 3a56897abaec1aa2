// From the database's rows to what must be in force: once, as soon as the database has been read.
// The last confirmed revision is used, never the operator's file (design.md §8).
//
// Thread: the loop's; compiling runs beside it.
#pragma once

#include <vector>

#include "control/app/parts.h"

namespace sallyport::control {

class Commits;

class Boot {
 public:
  Boot(Parts& parts, Commits& commits) : parts_(parts), commits_(commits) {}
  void run();

 private:
  void load();
  void discard_pending();
  void restore(const std::vector<TargetPtr>& targets);

  Parts& parts_;
  Commits& commits_;
  bool loaded_ = false;
};

}  // namespace sallyport::control
