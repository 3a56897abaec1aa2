// What others may read of the revision in force: rows of the derived tables, the sealed snapshot
// and dnsmasq's configurations as files below <run-dir>/control.
//
// Thread: the loop's.
#pragma once

#include <string>

#include "control/app/parts.h"

namespace sallyport::control {

class Commits;
class FileWatch;

class Publisher {
 public:
  Publisher(Parts& parts, const Commits& commits, const FileWatch& file)
      : parts_(parts), commits_(commits), file_(file) {}

  void run();
  // Where the snapshot in force is kept, so that the next control gives the same names the same
  // slots while dataplane and terminator live on.
  static std::string snapshot_path(const Settings& settings);

 private:
  void write_services();

  Parts& parts_;
  const Commits& commits_;
  const FileWatch& file_;
  TargetPtr shown_;  // whose derived rows and service files are written
};

}  // namespace sallyport::control
