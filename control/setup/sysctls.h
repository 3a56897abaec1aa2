// What each namespace's kernel is told, and why the kernel then cannot bridge, learn or speak
// unasked (design: no-bridging, 2). Everything is written even where it is the kernel's default,
// because a new namespace copies the IPv4 settings of the machine it is made on.
//
// Acts on the calling thread's network namespace. Fails (naming the file) if any one cannot be set:
// a half-muted namespace is not used.
#pragma once

#include <string>

#include "control/setup/outcome.h"

namespace sallyport::setup {

// A segment's own stack: answers for its own addresses and nothing else.
Outcome<void> settle_segment();
// The same for the link, whose settings were copied when it was made and which may be an adopted
// one.
Outcome<void> settle_segment_link(const std::string& link);
// The ports' namespace: no IP at all.
Outcome<void> settle_ports();
Outcome<void> settle_port_link(const std::string& link);

}  // namespace sallyport::setup
