// A core for the gateway and one for whoever measures it.
#pragma once

#include <sched.h>

#include <optional>
#include <vector>

namespace sallyport::bench {

// The first two that this process may run on.
struct Cores {
  int gateway = 0;
  int prober = 0;
};
inline std::optional<Cores> two_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0) return std::nullopt;
  std::vector<int> found;
  for (int cpu = 0; cpu < CPU_SETSIZE && found.size() < 2; ++cpu)
    if (CPU_ISSET(cpu, &set)) found.push_back(cpu);
  if (found.size() < 2) return std::nullopt;
  return Cores{found[0], found[1]};
}

// This thread, and those that it starts from now on.
inline void stay_on(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(0, sizeof set, &set);
}

}  // namespace sallyport::bench
