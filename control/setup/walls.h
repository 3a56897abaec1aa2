// The walls of the one daemon that stays root. It keeps CAP_SYS_ADMIN and CAP_NET_ADMIN (making and
// entering namespaces, links) and no other capability, so it cannot read other users' files, load
// modules, trace, or open raw sockets; seccomp leaves namespaces of the network kind only; an
// attempt to run a program kills it.
//
// No Landlock: a process under Landlock may not mount, and a namespace's name is a mount. What
// remains reachable is what root's files without CAP_DAC_OVERRIDE are; the unit file narrows it.
//
// Call once the listening socket is there, before the first record. Fails closed.
#pragma once

#include "policy/base/result.h"

namespace sallyport::setup {

Result<void> build_walls();

}  // namespace sallyport::setup
