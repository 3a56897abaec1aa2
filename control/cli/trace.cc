// trace: the packets of one flow, stage by stage, as they come.
#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "control/cli/explain.h"
#include "control/cli/watch.h"

namespace sallyport::control {
namespace {

struct Asked {
  std::string source;
  std::string destination;
  std::string protocol = "tcp";
  double seconds = 10;
  std::uint64_t count = 0;
};

void print_packet(const Context& context, const OrderedJson& row) {
  const double time = row.value("time", 0.0);
  const auto second = static_cast<std::int64_t>(time);
  std::cout << bold(fmt::format("{}.{:03}  {}", render_time(second).substr(11, 8),
                                static_cast<int>((time - static_cast<double>(second)) * 1000),
                                text_at(row, "packet")),
                    context.style)
            << "  in " << text_at(row, "in") << "\n";
  print_steps(row["steps"]);
  const std::string decision = text_at(row, "decision");
  if (decision == "allow")
    std::cout << "  " << good("allowed", context.style) << " by " << text_at(row, "rule")
              << ", out " << text_at(row, "out") << "\n";
  else if (decision == "waits")
    std::cout << "  allowed by " << text_at(row, "rule") << ", waits for its next hop\n";
  else
    std::cout << "  " << bad("denied", context.style) << ": " << text_at(row, "reason") << "\n";
  std::cout.flush();
}

int trace(const Context& context, const Asked& asked) {
  const auto source = parse_endpoint(asked.source);
  const auto destination = parse_endpoint(asked.destination);
  if (!source || !destination)
    return context.refuse(
        {ErrorKind::kUsage, "bad-question",
         fmt::format("'{}' is no address with an optional port; write 10.20.0.5:80 or [fd00::5]:80",
                     source ? asked.destination : asked.source)});
  OrderedJson words = {"source=" + source->address, "destination=" + destination->address,
                       "protocol=" + asked.protocol};
  if (!source->port.empty()) words.push_back("source_port=" + source->port);
  if (!destination->port.empty()) words.push_back("destination_port=" + destination->port);
  std::uint64_t shown = 0;
  const auto enough = [&] { return asked.count != 0 && shown >= asked.count; };
  const auto seen =
      watch(context.client(), {{"op", "query"}, {"what", "trace-start"}, {"arguments", words}},
            asked.seconds, [&](const Reply& part) -> Result<bool> {
              for (const auto& row : part.result.value("rows", OrderedJson::array())) {
                if (enough()) break;
                ++shown;
                if (context.json)
                  std::cout << row.dump() << "\n" << std::flush;
                else
                  print_packet(context, row);
              }
              return !enough() && std::cout.good();
            });
  if (!seen) return context.refuse(seen.error());
  std::cerr << (shown == 0 ? "no packet of this flow came by; is it asked as the client sends it?"
                           : fmt::format("{} packets", shown))
            << "\n";
  if (seen->missed != 0) std::cerr << seen->missed << " packets came too fast to be kept\n";
  return kExitDone;
}

}  // namespace

void add_trace(CLI::App& app, Context& context) {
  CLI::App* sub = app.add_subcommand(
      "trace",
      "The packets of one flow as they come, both ways, stage by stage (--json: a line each)\n"
      "  sallyctl trace 192.0.2.7 10.20.0.5:502 tcp --seconds 30");
  auto asked = std::make_shared<Asked>();
  sub->add_option("source", asked->source, "ADDRESS[:PORT]; without a port any")->required();
  sub->add_option("destination", asked->destination,
                  "ADDRESS[:PORT], as the client dials it; without a port any")
      ->required();
  sub->add_option("protocol", asked->protocol, "tcp, udp or icmp")
      ->type_name("PROTOCOL")
      ->capture_default_str();
  sub->add_option("--seconds", asked->seconds,
                  "how long; Ctrl-C ends it early, and what was seen is shown")
      ->check(CLI::Range(0.1, 3600.0))
      ->capture_default_str();
  sub->add_option("--count", asked->count, "end after COUNT packets");
  sub->callback([&context, asked] {
    context.command = [&context, asked] { return trace(context, *asked); };
  });
}

}  // namespace sallyport::control
