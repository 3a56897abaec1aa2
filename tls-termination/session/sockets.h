// Where sockets come from. The terminator cannot make any that reach a network: sallyport-setup
// makes each one inside a segment's namespace and hands it over. Answers come later, on the loop's
// thread; asking never blocks.
#pragma once

#include <functional>
#include <string>

#include "policy/base/net.h"
#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::terminator {

enum class SocketKind : std::uint8_t { kStream = 1, kDatagram = 2 };

class SocketSource {
 public:
  using Done = std::function<void(Result<os::UniqueFd>)>;
  virtual ~SocketSource() = default;
  // An unbound, non-blocking, close-on-exec socket in the segment's namespace. `done` is called
  // exactly once, possibly from within this call; kUnavailable when setup is not there.
  virtual void open(const std::string& segment, IpVersion version, SocketKind kind, Done done) = 0;
};

}  // namespace sallyport::terminator
