// One page over HTTP on sockets that are there already: GNU libmicrohttpd, in this thread's loop.
//
// Bounded: kMostConnections at a time, kMostOfOneAddress of them from one address, 16 KiB and ten
// seconds each. GET and HEAD of /metrics; nothing else has an answer. Not thread-safe. Failures:
// kSystem "http" if the library refuses a socket.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "policy/base/result.h"
#include "policy/os/fd.h"

struct MHD_Daemon;

namespace sallyport::exporter {

class HttpServer {
 public:
  static constexpr unsigned kMostConnections = 16;
  static constexpr unsigned kMostOfOneAddress = 4;
  using Page = std::function<std::string()>;

  // `listeners` listen. `page` is called for each request, in run().
  static Result<HttpServer> serve(std::vector<os::UniqueFd> listeners, Page page);

  // Readable when run() has something to do; it has, too, after wait_ms().
  const std::vector<int>& wake_fds() const { return wake_; }
  int wait_ms(int longest) const;
  void run();

 private:
  struct Stop {
    void operator()(MHD_Daemon* daemon) const;
  };
  std::unique_ptr<Page> page_;  // its address is the library's
  std::vector<std::unique_ptr<MHD_Daemon, Stop>> daemons_;
  std::vector<int> wake_;
};

}  // namespace sallyport::exporter
