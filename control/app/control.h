// sallyport-control as a whole: its parts, wired together, and one turn of the loop. The main loop
// is libopenvswitch's; every part says what to wake up for and none blocks.
//
// Life: construct (opens nothing but what it is given), then run()/wait() in turns for ever.
// Thread: the loop's. Source: design.md §2 and §8.
#pragma once

#include <optional>

#include "control/app/audit.h"
#include "control/app/boot.h"
#include "control/app/chain_watch.h"
#include "control/app/commands.h"
#include "control/app/commits.h"
#include "control/app/confirmation.h"
#include "control/app/file_watch.h"
#include "control/app/flow_watch.h"
#include "control/app/gateway_row.h"
#include "control/app/ledger.h"
#include "control/app/loop_watch.h"
#include "control/app/parts.h"
#include "control/app/publisher.h"
#include "control/app/review_watch.h"
#include "control/app/server.h"
#include "control/app/writer.h"

namespace sallyport::control {

class Control {
 public:
  // `group` may write besides root.
  Control(Settings settings, os::UniqueFd listener, std::optional<gid_t> group);

  void run();
  void wait() const;
  nlohmann::json status() const;
  const LoopWatch& watch() const { return watch_; }

 private:
  void run_parts(Millis now);
  void note_foreign_writes();
  void note_database();

  Parts parts_;
  Audit audit_;
  FileWatch file_;
  GatewayRow gateway_;
  Ledger ledger_;
  Commits commits_;
  Confirmation confirmation_;
  Writer writer_;
  ReviewWatch reviews_;
  FlowWatch flows_;
  ChainWatch chain_;
  Boot boot_;
  Publisher publisher_;
  Commands commands_;
  ControlServer server_;
  ReadOnlyAppctl appctl_;
  LoopWatch watch_;
  std::string database_error_;  // last alerted
  bool audit_failing_ = false;
};

}  // namespace sallyport::control
