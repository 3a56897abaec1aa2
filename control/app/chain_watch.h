// Looks once a minute whether the revisions that ovsdb-server holds are those that were committed,
// and whether their chain holds: rows are read some per turn, digests are computed beside the loop.
// Foreign writes are undone when they happen (control/ovsdb); this finds what did not come as a
// write. 2.4.7.6.
//
// Thread: the loop's.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "control/app/parts.h"

namespace sallyport::control {

class ChainWatch {
 public:
  explicit ChainWatch(Parts& parts) : parts_(parts) {}

  // `idle`: nothing is being committed.
  void run(Millis now, bool idle);
  void wait() const;
  nlohmann::json to_json() const;

 private:
  void read_some();
  void verified(const std::vector<std::string>& problems);

  Parts& parts_;
  std::vector<std::string> keys_;  // still to be read
  std::vector<std::string> rows_;
  bool reading_ = false;
  bool computing_ = false;
  Millis next_{0};
  std::uint64_t rounds_ = 0;
  std::int64_t time_s_ = 0;
  std::vector<std::string> problems_;
};

// What is wrong with stored rows, compared with what was committed.
std::vector<std::string> chain_problems(const History& history,
                                        const std::vector<std::string>& rows);

}  // namespace sallyport::control
