// sallyport-control as a whole: its parts, wired together, and one turn of the loop. The main loop
// is libopenvswitch's; every part says what to wake up for and none blocks.
//
// Life: construct (opens nothing but what it is given), then run()/wait() in turns for ever.
// Thread: the loop's. Source: design.md §2 and §8.
#pragma once

#include <optional>

#include "control/app/boot.h"
#include "control/app/commands.h"
#include "control/app/commits.h"
#include "control/app/file_watch.h"
#include "control/app/parts.h"
#include "control/app/publisher.h"
#include "control/app/server.h"

namespace sallyport::control {

class Control {
 public:
  // `group` may write besides root.
  Control(Settings settings, os::UniqueFd listener, std::optional<gid_t> group);

  void run();
  void wait() const;
  nlohmann::json status() const { return status_json(parts_, commits_, file_); }

 private:
  void note_foreign_writes();

  Parts parts_;
  FileWatch file_;
  Commits commits_;
  Boot boot_;
  Publisher publisher_;
  Commands commands_;
  ControlServer server_;
  ReadOnlyAppctl appctl_;
};

}  // namespace sallyport::control
