// Debian's ovsdb-server on a fresh database in a temporary folder, for tests. Ends it by its
// process id.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace sallyport::test {

class OvsdbServer {
 public:
  OvsdbServer();
  ~OvsdbServer();
  OvsdbServer(const OvsdbServer&) = delete;
  OvsdbServer& operator=(const OvsdbServer&) = delete;

  bool available() const { return available_; }  // false: the programs are not installed
  void start();
  void stop();
  // It stands still, and goes on.
  void freeze() const;
  void thaw() const;
  std::string remote() const { return "unix:" + folder_ + "/db.sock"; }
  const std::string& folder() const { return folder_; }
  std::string file() const { return folder_ + "/db"; }
  std::uint64_t file_size() const;
  // What it has logged, a text for each transaction.
  std::vector<std::string> records() const;
  // The disk is full from this size of a file on (RLIMIT_FSIZE of the running server).
  void limit_file(std::uint64_t bytes) const;
  // One transaction as another client: ovsdb-client transact. Returns its output.
  std::string transact(const std::string& operations) const;

 private:
  std::string folder_;
  pid_t pid_ = -1;
  bool available_ = false;
};

// Processor time of the calling thread.
std::chrono::nanoseconds thread_time();
std::vector<std::string> lines(const std::string& text);
// Runs a program and returns what it printed; "" if it cannot be run or fails.
std::string run_program(const std::vector<std::string>& arguments);

}  // namespace sallyport::test
