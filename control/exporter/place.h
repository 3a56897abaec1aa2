// The one place where the exporter may be heard: the namespace of the management segment.
//
// Failures: kSystem with the kernel's words. One thread, before the walls (enter, bind), any time
// (is_still).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "policy/base/result.h"
#include "policy/os/fd.h"

namespace sallyport::exporter {

// Which namespace a path stands for.
struct Place {
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
};

// Nothing while there is no namespace at the path.
std::optional<Place> find_place(const std::string& path);
// False when the namespace went away, or another one has its name: a segment that was made anew.
bool is_still(const Place& place);
// This process is in there from now on.
Result<void> enter(const Place& place);

// TCP sockets of the namespace that we are in, one for each IP version, bound to the port of every
// address. They do not listen: a connection is refused.
Result<std::vector<os::UniqueFd>> bind_both(std::uint16_t port);
Result<void> listen_on(const std::vector<os::UniqueFd>& sockets);

}  // namespace sallyport::exporter
