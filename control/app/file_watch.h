// The operator's file: looked at each second, compared with the text in force, never used by
// itself. A difference shows as "edited, not applied".
//
// Thread: the loop's; the file is read and judged beside it, since it may be large, and anything (a
// pipe is not opened for reading). Source: design.md §8.
#pragma once

#include <cstdint>
#include <string>

#include "control/app/parts.h"

namespace sallyport::control {

enum class FileState : std::uint8_t {
  kUnknown,  // not looked at yet
  kAbsent,
  kSame,
  kEdited,   // edited, not applied
  kInvalid,  // edited, and it would be refused
};
const char* to_string(FileState state);

class FileWatch {
 public:
  explicit FileWatch(Parts& parts) : parts_(parts) {}

  void run(Millis now);
  void wait() const { Loop::wake_at(look_at_); }
  FileState state() const { return state_; }

 private:
  struct Look {
    std::string stamp;  // what stat said, and the text in force that it was compared with
    FileState state = FileState::kUnknown;
  };
  static Look look(const std::string& path, const TargetPtr& in_force, const Look& before);

  Parts& parts_;
  Look last_;
  FileState state_ = FileState::kUnknown;
  bool looking_ = false;
  Millis look_at_{0};
};

}  // namespace sallyport::control
