// explain --last: why what was dropped was dropped, from the dataplane's drop records.
#include <fmt/format.h>

#include <iostream>

#include "control/cli/explain.h"

namespace sallyport::control {
namespace {

std::string ends_of(const OrderedJson& drop) {
  const auto end = [&](const char* address, const char* port) {
    std::string text = text_at(drop, address);
    const int number = drop.value(port, 0);
    if (number == 0) return text;
    return text.find(':') == text.npos ? fmt::format("{}:{}", text, number)
                                       : fmt::format("[{}]:{}", text, number);
  };
  return drop.value("more_destinations", false)
             ? end("source", "source_port") + " > many"
             : end("source", "source_port") + " > " + end("destination", "destination_port");
}

void print_drop(const Context& context, const OrderedJson& drop) {
  const std::string device = text_at(drop, "device");
  const std::string port = text_at(drop, "port");
  std::cout << bold(fmt::format("{}  {}",
                                render_time(static_cast<std::int64_t>(drop.value("last", 0.0))),
                                ends_of(drop)),
                    context.style)
            << fmt::format("\n  from {} ({}) in {}{}; {} packets within that second\n",
                           device.empty() ? "nobody enrolled" : device, text_at(drop, "mac"),
                           text_at(drop, "segment"), port.empty() ? "" : " on " + port,
                           drop.value("packets", std::uint64_t{0}))
            << "  " << bad("dropped", context.style) << ": " << text_at(drop, "reason") << " ("
            << text_at(drop, "help") << ")\n";
  if (const std::string note = text_at(drop, "note"); !note.empty())
    std::cout << "  " << note << "\n";
  if (drop.contains("explanation") && drop["explanation"].is_object()) {
    std::cout << "\nasked again, of the tables in force:\n";
    print_explanation(context, drop["explanation"]);
  }
}

// "10.20.0.5:502" narrows by two fields.
Result<void> add_end(OrderedJson& words, const std::string& text, const char* name) {
  if (text.empty()) return {};
  const auto end = parse_endpoint(text);
  if (!end)
    return fail(ErrorKind::kUsage, "bad-question",
                fmt::format("'{}' is no address with an optional port", text));
  words.push_back(fmt::format("{}={}", name, end->address));
  if (!end->port.empty()) words.push_back(fmt::format("{}_port={}", name, end->port));
  return {};
}

Result<OrderedJson> words_of(const Narrowed& asked) {
  OrderedJson words = OrderedJson::array();
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) words.push_back(fmt::format("{}={}", key, value));
  };
  add("segment", asked.in);
  add("port", asked.port);
  add("mac", asked.mac);
  add("device", asked.device);
  add("reason", asked.reason);
  SALLYPORT_TRY_VOID(add_end(words, asked.source, "source"));
  SALLYPORT_TRY_VOID(add_end(words, asked.destination, "destination"));
  add("protocol", asked.protocol == "tcp"      ? "6"
                  : asked.protocol == "udp"    ? "17"
                  : asked.protocol == "icmp"   ? "1"
                  : asked.protocol == "icmpv6" ? "58"
                                               : asked.protocol);
  words.push_back(fmt::format("count={}", asked.count));
  return words;
}

}  // namespace

int explain_last(const Context& context, const Narrowed& asked) {
  const auto words = words_of(asked);
  if (!words) return context.refuse(words.error());
  const auto reply =
      context.client().ask({{"op", "explain"}, {"last", true}, {"arguments", *words}});
  if (!reply) return context.refuse(reply.error());
  if (context.json) return context.print(reply->result);
  const OrderedJson& drops = reply->result["drops"];
  if (drops.empty())
    std::cout << fmt::format("no such drop among the {} that are kept; next: sallyctl show drops\n",
                             reply->result.value("kept", 0));
  for (std::size_t i = 0; i < drops.size(); ++i) {
    if (i > 0) std::cout << "\n";
    print_drop(context, drops[i]);
  }
  return kExitDone;
}

}  // namespace sallyport::control
