// Something of the dataplane's that is watched for a while: started, read ten times a second, and
// ended by time, by Ctrl-C, or when there was enough. Whatever ends it, the dataplane is told.
//
// Blocking; one thread. Failures: as Client::ask().
#pragma once

#include <functional>
#include <string>

#include "control/cli/client.h"

namespace sallyport::control {

struct Watched {
  std::uint64_t packets = 0;
  std::uint64_t missed = 0;  // came too fast to be kept
};

// `start` is the query that begins it. `take` is given each part and says whether to go on.
Result<Watched> watch(const Client& client, const OrderedJson& start, double seconds,
                      const std::function<Result<bool>(const Reply& part)>& take);

}  // namespace sallyport::control
