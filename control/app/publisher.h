// What others may read of the revision in force: rows of the derived tables, the sealed snapshot
// and dnsmasq's configurations as files below <run-dir>/control.
//
// Thread: the loop's; rows and files are made beside it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/app/gateway_row.h"
#include "control/app/parts.h"

namespace sallyport::control {

class Publisher {
 public:
  Publisher(Parts& parts, GatewayRow& gateway) : parts_(parts), gateway_(gateway) {}

  void run();
  // Where the snapshot in force is kept, so that the next control gives the same names the same
  // slots while dataplane and terminator live on.
  static std::string snapshot_path(const Settings& settings) {
    return settings.run_dir + "/control/snapshot";
  }

 private:
  struct Made {
    std::map<std::string, RowTexts> tables;
    std::vector<std::string> failed;  // files that could not be written
  };
  static Made make(const Target& target, const std::string& folder, const std::string& snapshot);
  void made(const TargetPtr& target, const Made& result);

  Parts& parts_;
  GatewayRow& gateway_;
  TargetPtr shown_;          // whose derived rows and files are made, or being made
  std::uint64_t asked_ = 0;  // whose rows are on their way into the database
};

}  // namespace sallyport::control
