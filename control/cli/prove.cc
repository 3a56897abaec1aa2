// prove: what is in force permits exactly what is described; who may talk to whom.
#include <fmt/format.h>

#include <iostream>
#include <map>
#include <set>

#include "control/cli/commands.h"

namespace sallyport::control {
namespace {

struct Asked {
  std::string from;
  std::string to;
};

std::string text_or(const OrderedJson& value, const char* key) {
  const auto found = value.find(key);
  return found != value.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string joined(const OrderedJson& list) {
  std::string out;
  for (const auto& item : list)
    if (item.is_string()) out += (out.empty() ? "" : ", ") + item.get<std::string>();
  return out;
}

// The gateway's own addresses count as one end, and so do names, which only hosts beyond an uplink
// have.
std::string column_of(const std::string& end) {
  if (end.starts_with("gateway:")) return "gateway";
  return end.starts_with("name:") ? "names" : end;
}

// Rows send, columns receive; a cell counts conduits and services.
OrderedJson grid_of(const OrderedJson& matrix) {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> cells;
  std::set<std::string> rows;
  std::set<std::string> columns;
  for (const auto& cell : matrix) {
    const std::string from = column_of(text_or(cell, "from"));
    const std::string to = column_of(text_or(cell, "to"));
    rows.insert(from);
    columns.insert(to);
    for (const auto& rule : cell["rules"])
      if (rule.is_string()) cells[{from, to}].insert(rule.get<std::string>());
  }
  OrderedJson out = OrderedJson::array();
  for (const std::string& from : rows) {
    OrderedJson row = {{"from", from}};
    for (const std::string& to : columns) {
      const auto at = cells.find({from, to});
      row["to " + to] = at == cells.end() ? "-" : std::to_string(at->second.size());
    }
    out.push_back(std::move(row));
  }
  return out;
}

OrderedJson list_of(const OrderedJson& matrix) {
  OrderedJson out = OrderedJson::array();
  for (const auto& cell : matrix)
    out.push_back({{"from", text_or(cell, "from")},
                   {"to", text_or(cell, "to")},
                   {"by", joined(cell["rules"])}});
  return out;
}

OrderedJson boxes_of(const OrderedJson& permitted) {
  const auto end = [](const OrderedJson& e) {
    const std::string device = text_or(e, "device");
    return text_or(e, "addresses") + (device.empty() ? "" : " (" + device + ")");
  };
  OrderedJson out = OrderedJson::array();
  for (const auto& box : permitted["boxes"]) {
    const int first = box.value("first_port", 0);
    const int last = box.value("last_port", 0);
    out.push_back(
        {{"from", end(box["from"])},
         {"to", end(box["to"])},
         {"protocol", text_or(box, "protocol")},
         {"ports", first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last)},
         {"by", text_or(box, "rule")},
         {"kind", text_or(box, "kind")}});
  }
  return out;
}

void print_proof(const Context& context, const OrderedJson& proof) {
  const bool holds = proof.value("holds", false);
  const std::string line =
      fmt::format("revision {}: the tables permit {} ({} address intervals, {} boxes compared)",
                  proof.value("revision", 0),
                  holds ? "exactly what the reviewed conduits describe"
                        : "something else than the reviewed conduits describe",
                  proof.value("intervals", 0), proof.value("boxes", 0));
  std::cout << (holds ? good(line, context.style) : bad(line, context.style)) << "\n";
  for (const auto& difference : proof["differences"])
    std::cout << "  " << text_or(difference, "text") << "\n";
  const OrderedJson& matrix = proof["matrix"];
  if (!matrix.empty()) {
    std::cout << "\nwho may start a flow to whom (conduits and services)\n"
              << render(grid_of(matrix), context.style) << "\n"
              << render(list_of(matrix), context.style);
  }
  if (proof.contains("permitted")) {
    const OrderedJson boxes = boxes_of(proof["permitted"]);
    std::cout << "\nexactly\n"
              << (boxes.empty() ? std::string("  nothing\n") : render(boxes, context.style));
    if (proof["permitted"].value("more", false)) std::cout << "and more; name both ends\n";
  }
  std::cout << "\n";
  for (const auto& group : proof["not_enforceable"]) {
    const int vlan = group.value("vlan", 0);
    std::cout << fmt::format("not enforceable: {} share port {}{}; they talk without the gateway\n",
                             joined(group["devices"]), text_or(group, "port"),
                             vlan == 0 ? "" : fmt::format(" VLAN {}", vlan));
  }
  if (proof["not_enforceable"].empty())
    std::cout << "the gateway stands between all devices (those on one port are isolated, by your "
                 "word)\n";
}

int prove(const Context& context, const Asked& asked) {
  OrderedJson request = {{"op", "prove"}};
  if (!asked.from.empty()) request["from"] = asked.from;
  if (!asked.to.empty()) request["to"] = asked.to;
  const auto reply = context.client().ask(request);
  if (!reply) return context.refuse(reply.error());
  if (context.json) return context.print(reply->result);
  print_proof(context, reply->result);
  return kExitDone;
}

}  // namespace

void add_prove(CLI::App& app, Context& context) {
  CLI::App* sub = app.add_subcommand(
      "prove",
      "Who may start a flow to whom, proven on the compiled tables of the revision in force");
  auto asked = std::make_shared<Asked>();
  constexpr const char* kEnd =
      "a segment, a device, gateway, gateway:SEGMENT, virtual or name:DNS-NAME; lists every box";
  sub->add_option("--from", asked->from, kEnd)->type_name("END");
  sub->add_option("--to", asked->to, kEnd)->type_name("END");
  sub->callback([&context, asked] {
    context.command = [&context, asked] { return prove(context, *asked); };
  });
}

}  // namespace sallyport::control
