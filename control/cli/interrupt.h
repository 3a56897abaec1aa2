// Ctrl-C and its like end what is watched, not this program: what was seen until then is shown, and
// whoever must be told is told. A reader that goes away (head, tcpdump -c) shows as a failing
// write.
//
// One thread.
#pragma once

#include <chrono>

namespace sallyport::control {

// From now on signals are only remembered.
void heed_interrupts();
bool interrupted();
// Waits so long, or until interrupted; false if that was it.
bool pause(std::chrono::nanoseconds time);

}  // namespace sallyport::control
