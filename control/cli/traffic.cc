#include "control/cli/traffic.h"

#include <fmt/format.h>

namespace sallyport::control {
namespace {

std::string word(const OrderedJson& value, const char* key) {
  const auto found = value.find(key);
  return found != value.end() && found->is_string() ? found->get<std::string>() : "";
}

std::string end_of(const OrderedJson& box, const char* side) {
  const auto end = box.find(side);
  if (end == box.end() || !end->is_object()) return "?";
  const std::string device = word(*end, "device");
  return word(*end, "addresses") + (device.empty() ? "" : " (" + device + ")");
}

std::string ports_of(const OrderedJson& box) {
  const int first = box.value("first_port", 0);
  const int last = box.value("last_port", 0);
  return first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
}

void add_boxes(const OrderedJson& traffic, const char* key, const std::string& title,
               const Style& style, std::string& out) {
  const auto boxes = traffic.find(key);
  if (boxes == traffic.end() || !boxes->is_array() || boxes->empty()) return;
  OrderedJson rows = OrderedJson::array();
  for (const auto& box : *boxes)
    rows.push_back({{"from", end_of(box, "from")},
                    {"to", end_of(box, "to")},
                    {"protocol", word(box, "protocol")},
                    {"ports", ports_of(box)},
                    {"by", word(box, "rule")}});
  out += "\n" + bold(title, style) + "\n" + render(rows, style);
}

void add_cut(const OrderedJson& traffic, const Style& style, std::string& out) {
  const auto cut = traffic.find("cut");
  if (cut == traffic.end() || !cut->is_array() || cut->empty()) return;
  OrderedJson rows = OrderedJson::array();
  for (const auto& flow : *cut) {
    const std::string device = word(flow, "device");
    rows.push_back({{"from", device.empty() ? word(flow, "source")
                                            : word(flow, "source") + " (" + device + ")"},
                    {"to", word(flow, "destination")},
                    {"protocol", word(flow, "protocol")},
                    {"port", flow.value("port", 0)},
                    {"by", word(flow, "conduit")},
                    {"last seen", render_time(flow.value("last", std::int64_t{0}))}});
  }
  out +=
      "\n" + bad("flows of the last 7 days that it would cut", style) + "\n" + render(rows, style);
  if (const auto more = traffic.value("cut_more", 0); more > 0)
    out += fmt::format("and {} more\n", more);
}

}  // namespace

std::string traffic_text(const OrderedJson& traffic, const Style& style) {
  std::string out;
  add_boxes(traffic, "allowed", "newly allowed", style, out);
  add_boxes(traffic, "denied", "newly denied", style, out);
  if (traffic.value("more", false))
    out += "\nand more than is listed: the two differ too much to be compared whole\n";
  add_cut(traffic, style, out);
  return out;
}

}  // namespace sallyport::control
