#include "tests/perf/storm/order_model.h"

#include <set>

#include "tests/perf/storm/random.h"

namespace sallyport::storm {

namespace {
constexpr double kRefused = 0.4;
constexpr double kPatience = 10, kPause = 5, kStep = 0.001, kSample = 0.2;

struct Waiting {
  double key;
  std::uint32_t client;
  friend auto operator<=>(const Waiting&, const Waiting&) = default;
};
}  // namespace

const char* name(Order order) {
  switch (order) {
    case Order::kFirstCome:
      return "first come, first served";
    case Order::kEarliestDeadline:
      return "earliest deadline first";
    case Order::kChance:
      return "by chance before the deadline";
    case Order::kRefusing:
      return "by chance, two in five refused at first (rejected)";
  }
  return "?";
}

OrderRun run_order(Order order, std::uint32_t clients, double capacity, double boot_s) {
  struct Client {
    double boot = 0, next = 0, key = 0;  // `next`: when it comes or leaves
    bool here = false, served = false;
  };
  std::vector<Client> all(clients);
  std::set<Waiting> queue, events;
  for (std::uint32_t c = 0; c < clients; ++c) {
    all[c].boot = all[c].next = uniform(1, c, 0, Chance::kBoot) * boot_s;
    events.insert({all[c].next, c});
  }
  OrderRun out;
  std::uint32_t served = 0, here = 0;
  double credit = 0, sample = 0;
  for (double t = 0; served < clients; t += kStep) {
    while (!events.empty() && events.begin()->key <= t) {
      const std::uint32_t c = events.begin()->client;
      Client& client = all[c];
      events.erase(events.begin());
      if (client.served) continue;
      if (client.here) {
        queue.erase({client.key, c});
        client.next += kPause;
        --here;
      } else if (order == Order::kRefusing && client.next == client.boot &&
                 uniform(3, c, 0, Chance::kStall) < kRefused) {
        client.next += kPause;
        events.insert({client.next, c});
        continue;
      } else {
        const double from = client.next;
        client.next += kPatience;
        // Before anybody left nobody can know how long they wait: a deadline is an arrival then.
        client.key = order == Order::kFirstCome ? client.boot
                     : order == Order::kEarliestDeadline
                         ? client.next
                         : from + kPatience * uniform(2, c, static_cast<std::uint32_t>(from * 1000),
                                                      Chance::kPause);
        queue.insert({client.key, c});
        ++here;
      }
      client.here = !client.here;
      events.insert({client.next, c});
    }
    credit = std::min(credit + capacity * kStep, 1.0 + capacity * kStep);
    while (credit >= 1 && !queue.empty()) {
      all[queue.begin()->client].served = true;
      queue.erase(queue.begin());
      ++served;
      --here;
      credit -= 1;
    }
    if (t >= sample) {
      out.done.emplace_back(t, static_cast<double>(served) / clients);
      out.here.emplace_back(t, static_cast<double>(here) / clients);
      sample += kSample;
    }
    out.stretch = t * capacity / clients;
  }
  return out;
}

}  // namespace sallyport::storm
