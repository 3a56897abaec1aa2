// explain: would this packet pass, and why (not).
#include <fmt/format.h>

#include <iostream>

#include "control/cli/commands.h"
#include "control/config/tree.h"

namespace sallyport::control {
namespace {

struct Asked {
  std::string in;
  std::string port;
  std::string mac;
  std::string vlan;
  std::vector<std::string> names;
  bool host = false;
  std::string source;
  std::string destination;
  std::string protocol = "tcp";
  std::string flags;
  std::string candidate;
};

std::string text_or(const OrderedJson& value, const char* key) {
  const auto found = value.find(key);
  return found != value.end() && found->is_string() ? found->get<std::string>() : "";
}

void print_explanation(const Context& context, const OrderedJson& e) {
  const bool allowed = e.value("decision", "deny") == "allow";
  std::cout << bold(text_or(e, "packet"), context.style) << "\n";
  if (e.contains("steps") && e["steps"].is_array())
    for (const auto& step : e["steps"])
      std::cout << fmt::format("  {:<12} {:<20} {}\n", text_or(step, "stage"),
                               text_or(step, "outcome"), text_or(step, "detail"));
  if (allowed) {
    std::cout << good("allowed", context.style) << " by " << text_or(e, "rule");
    if (e.value("line", 0) != 0)
      std::cout << fmt::format(" ({}:{}:{})", text_or(e, "file"), e.value("line", 0),
                               e.value("column", 0));
    std::cout << "\n";
    for (const char* key : {"summary", "leg", "rewrite"})
      if (const std::string text = text_or(e, key); !text.empty())
        std::cout << "  " << text << "\n";
    if (const std::string to = text_or(e, "egress"); !to.empty())
      std::cout << "  goes on to " << to << "\n";
  } else {
    std::cout << bad("denied", context.style) << ": " << text_or(e, "reason") << " ("
              << text_or(e, "help") << ")\n";
  }
  if (e.contains("candidates") && e["candidates"].is_array() && !e["candidates"].empty()) {
    std::cout << (allowed ? "\nconduits looked at:\n" : "\nnearest conduits:\n");
    for (const auto& one : e["candidates"])
      std::cout << fmt::format("  {} ({}:{}:{}): {} {}\n", text_or(one, "name"), text_or(e, "file"),
                               one.value("line", 0), one.value("column", 0), text_or(one, "why"),
                               text_or(one, "detail"));
  }
  if (e.contains("flow") && e["flow"].is_object())
    std::cout << "\nits flow:\n" << render(e["flow"], context.style);
}

int explain(const Context& context, const Asked& asked) {
  const auto source = parse_endpoint(asked.source);
  const auto destination = parse_endpoint(asked.destination);
  if (!source || !destination)
    return context.refuse(
        {ErrorKind::kUsage, "bad-question",
         fmt::format("'{}' is no address with an optional port; write 10.20.0.5:80 or [fd00::5]:80",
                     source ? asked.destination : asked.source)});
  OrderedJson words = OrderedJson::array();
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) words.push_back(fmt::format("{}={}", key, value));
  };
  add("in", asked.in);
  add("host", asked.host ? "yes" : "");
  add("port", asked.port);
  add("vlan", asked.vlan);
  add("mac", asked.mac);
  add("source", source->address);
  add("destination", destination->address);
  add("protocol", asked.protocol);
  add("source_port", source->port);
  add("destination_port", destination->port);
  for (const std::string& name : asked.names) add("name", name);
  std::optional<std::string> text;
  if (!asked.candidate.empty()) {
    auto file = read_file(asked.candidate, kMaxConfigSize);
    if (!file) return context.refuse(file.error());
    text = *std::move(file);
  }
  auto reply = context.client().ask({{"op", "explain"}, {"arguments", words}}, text);
  if (!reply) return context.refuse(reply.error());
  // Any TCP packet but a SYN belongs to a flow or is dropped, whatever the conduits say.
  const bool opens = asked.flags.empty() || asked.flags == "S";
  const bool has_flow = reply->result.contains("flow") && reply->result["flow"].is_object();
  if (asked.protocol == "tcp" && !opens && !has_flow &&
      reply->result.value("decision", "deny") == "allow") {
    reply->result["decision"] = "deny";
    reply->result["reason"] = "bad-tcp-state";
    reply->result["help"] =
        fmt::format("a TCP packet with flags {} starts no flow, and none is open", asked.flags);
  }
  if (context.json) return context.print(reply->result);
  print_explanation(context, reply->result);
  return kExitDone;
}

}  // namespace

std::optional<Endpoint> parse_endpoint(std::string_view text) {
  const auto is_port = [](std::string_view port) {
    return !port.empty() && port.size() <= 5 &&
           port.find_first_not_of("0123456789") == std::string_view::npos;
  };
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos) return std::nullopt;
    const auto address = IpAddress::parse(text.substr(1, end - 1));
    const std::string_view rest = text.substr(end + 1);
    if (!address || (!rest.empty() && (rest[0] != ':' || !is_port(rest.substr(1)))))
      return std::nullopt;
    return Endpoint{address->to_string(), std::string(rest.empty() ? "" : rest.substr(1))};
  }
  if (const auto address = IpAddress::parse(text)) return Endpoint{address->to_string(), ""};
  const std::size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  const auto address = IpAddress::parse(text.substr(0, colon));
  // "fd00::5:80" is an address by itself; only IPv4 goes without brackets.
  if (!address || !address->is_v4() || !is_port(text.substr(colon + 1))) return std::nullopt;
  return Endpoint{address->to_string(), std::string(text.substr(colon + 1))};
}

void add_explain(CLI::App& app, Context& context) {
  CLI::App* sub =
      app.add_subcommand("explain",
                         "Would this packet pass, and why (not): asked of the tables in force\n"
                         "  sallyctl explain --in uplink 192.0.2.7:40000 10.20.0.5:502 tcp");
  auto asked = std::make_shared<Asked>();
  sub->add_option("--in", asked->in, "segment on which it arrives")->required();
  sub->add_option("--port", asked->port, "port on which it arrives (else the sender's own)");
  sub->add_option("--vlan", asked->vlan, "VLAN tag on it");
  sub->add_option("--mac", asked->mac, "source MAC (else that of the source address's owner)");
  sub->add_option("--name", asked->names, "DNS name that the destination goes by");
  sub->add_flag("--host", asked->host, "it comes from the gateway's own stack on that segment");
  sub->add_option("source", asked->source, "ADDRESS[:PORT], IPv6 with a port in brackets")
      ->required();
  sub->add_option("destination", asked->destination, "ADDRESS[:PORT]")->required();
  sub->add_option("protocol", asked->protocol, "tcp, udp, icmp or a number")->capture_default_str();
  sub->add_option("flags", asked->flags, "TCP flags, such as S or SA (else S)");
  sub->add_option("--candidate", asked->candidate,
                  "ask a configuration file instead of what is in force");
  sub->callback([&context, asked] {
    context.command = [&context, asked] { return explain(context, *asked); };
  });
}

}  // namespace sallyport::control
