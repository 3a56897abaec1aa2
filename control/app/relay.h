// A sibling's answer, handed on to whoever asked control.
#pragma once

#include "control/app/server.h"
#include "control/ipc/sibling.h"

namespace sallyport::control {

Sibling::Answered relay_to(const Responder& responder);

}  // namespace sallyport::control
