// explain: would this packet pass, and why (not); what explanations look like.
#include <fmt/format.h>

#include <iostream>

#include "control/cli/explain.h"
#include "control/config/tree.h"

namespace sallyport::control {
namespace {

struct Asked {
  Narrowed where;  // of them, a question has in, port, mac, source, destination and protocol
  std::string vlan;
  std::vector<std::string> names;
  bool host = false;
  bool last = false;
  std::string flags;
  std::string sequence;
  std::string acknowledgement;
  std::string size;
  std::string candidate;
};

int explain(const Context& context, const Asked& asked) {
  if (asked.last) return explain_last(context, asked.where);
  if (asked.where.in.empty() || asked.where.source.empty() || asked.where.destination.empty())
    return context.refuse({ErrorKind::kUsage, "bad-question",
                           "a question names --in SEGMENT, a source and a destination; or ask for "
                           "what was dropped: sallyctl explain --last"});
  const auto source = parse_endpoint(asked.where.source);
  const auto destination = parse_endpoint(asked.where.destination);
  if (!source || !destination)
    return context.refuse(
        {ErrorKind::kUsage, "bad-question",
         fmt::format("'{}' is no address with an optional port; write 10.20.0.5:80 or [fd00::5]:80",
                     source ? asked.where.destination : asked.where.source)});
  OrderedJson words = OrderedJson::array();
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) words.push_back(fmt::format("{}={}", key, value));
  };
  add("in", asked.where.in);
  add("host", asked.host ? "yes" : "");
  add("port", asked.where.port);
  add("vlan", asked.vlan);
  add("mac", asked.where.mac);
  add("source", source->address);
  add("destination", destination->address);
  const std::string protocol = asked.where.protocol.empty() ? "tcp" : asked.where.protocol;
  add("protocol", protocol);
  add("source_port", source->port);
  add("destination_port", destination->port);
  if (protocol == "tcp") {
    add("flags", asked.flags);
    add("sequence", asked.sequence);
    add("acknowledgement", asked.acknowledgement);
    add("size", asked.size);
  }
  for (const std::string& name : asked.names) add("name", name);
  std::optional<std::string> text;
  if (!asked.candidate.empty()) {
    auto file = read_file(asked.candidate, kMaxConfigSize);
    if (!file) return context.refuse(file.error());
    text = *std::move(file);
  }
  const auto reply = context.client().ask({{"op", "explain"}, {"arguments", words}}, text);
  if (!reply) return context.refuse(reply.error());
  if (context.json) return context.print(reply->result);
  print_explanation(context, reply->result);
  return kExitDone;
}

}  // namespace

std::string text_at(const OrderedJson& value, const char* key) {
  const auto found = value.find(key);
  return found != value.end() && found->is_string()
             ? printable(found->get_ref<const std::string&>())
             : "";
}

void print_steps(const OrderedJson& steps) {
  if (!steps.is_array()) return;
  for (const auto& step : steps)
    std::cout << fmt::format("  {:<12} {:<20} {}\n", text_at(step, "stage"),
                             text_at(step, "outcome"), text_at(step, "detail"));
}

void print_explanation(const Context& context, const OrderedJson& e) {
  const bool allowed = e.value("decision", "deny") == "allow";
  std::cout << bold(text_at(e, "packet"), context.style) << "\n";
  if (e.contains("steps")) print_steps(e["steps"]);
  if (allowed) {
    std::cout << good("allowed", context.style) << " by " << text_at(e, "rule");
    if (e.value("line", 0) != 0)
      std::cout << fmt::format(" ({}:{}:{})", text_at(e, "file"), e.value("line", 0),
                               e.value("column", 0));
    std::cout << "\n";
    for (const char* key : {"summary", "leg", "rewrite"})
      if (const std::string text = text_at(e, key); !text.empty())
        std::cout << "  " << text << "\n";
    if (const std::string to = text_at(e, "egress"); !to.empty())
      std::cout << "  goes on to " << to << "\n";
  } else {
    std::cout << bad("denied", context.style) << ": " << text_at(e, "reason") << " ("
              << text_at(e, "help") << ")\n";
  }
  if (e.contains("candidates") && e["candidates"].is_array() && !e["candidates"].empty()) {
    std::cout << (allowed ? "\nconduits looked at:\n" : "\nnearest conduits:\n");
    for (const auto& one : e["candidates"])
      std::cout << fmt::format("  {} ({}:{}:{}): {} {}\n", text_at(one, "name"), text_at(e, "file"),
                               one.value("line", 0), one.value("column", 0), text_at(one, "why"),
                               text_at(one, "detail"));
  }
  if (e.contains("flow") && e["flow"].is_object())
    std::cout << "\nits flow:\n" << render(e["flow"], context.style);
}

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
  CLI::App* sub = app.add_subcommand(
      "explain",
      "Would this packet pass, and why (not): asked of the tables, flows and credits in force\n"
      "  sallyctl explain --in uplink 192.0.2.7:40000 10.20.0.5:502 tcp\n"
      "  sallyctl explain --last --device press4    why was its newest drop dropped?");
  auto asked = std::make_shared<Asked>();
  Narrowed& where = asked->where;
  sub->add_option("--in", where.in, "segment on which it arrives")->type_name("SEGMENT");
  sub->add_option("--port", where.port, "port on which it arrives (else the sender's own)")
      ->type_name("PORT");
  sub->add_option("--vlan", asked->vlan, "VLAN tag on it")->type_name("VLAN");
  sub->add_option("--mac", where.mac, "source MAC (else that of the source address's owner)")
      ->type_name("MAC");
  sub->add_option("--name", asked->names, "DNS name that the destination goes by")
      ->type_name("NAME");
  sub->add_flag("--host", asked->host, "it comes from the gateway's own stack on that segment");
  sub->add_option("source", where.source, "ADDRESS[:PORT], IPv6 with a port in brackets");
  sub->add_option("destination", where.destination, "ADDRESS[:PORT]");
  sub->add_option("protocol", where.protocol, "tcp (unless given), udp, icmp or a number")
      ->type_name("PROTOCOL");
  sub->add_option("flags", asked->flags, "TCP flags, letters of FSRPAUEC such as SA (else S)");
  sub->add_option("--sequence", asked->sequence,
                  "TCP sequence number (else the one that comes next in an open flow)")
      ->type_name("N");
  sub->add_option("--acknowledgement", asked->acknowledgement,
                  "TCP acknowledgement number (else of all that was sent)")
      ->type_name("N");
  sub->add_option("--size", asked->size, "bytes of TCP data in it (else none)")->type_name("N");
  CLI::Option* candidate = sub->add_option("--candidate", asked->candidate,
                                           "ask a configuration file instead of what is in force");
  CLI::Option* last =
      sub->add_flag("--last", asked->last, "explain the newest drop that the other options leave");
  candidate->type_name("FILE");
  last->excludes(candidate);
  sub->add_option("--device", where.device, "with --last: sent by this device")
      ->type_name("DEVICE")
      ->needs(last);
  sub->add_option("--reason", where.reason, "with --last: dropped for this reason")
      ->type_name("REASON")
      ->needs(last);
  sub->add_option("--count", where.count, "with --last: how many of the newest")
      ->needs(last)
      ->check(CLI::Range(1, 32))
      ->capture_default_str();
  sub->callback([&context, asked] {
    context.command = [&context, asked] { return explain(context, *asked); };
  });
}

}  // namespace sallyport::control
