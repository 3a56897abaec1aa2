#include "control/cli/rates.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace sallyport::control {
namespace {

constexpr double kBitsPerByte = 8;

double number(const OrderedJson& object, const std::string& key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

const OrderedJson& part(const OrderedJson& reading, const char* key) {
  static const OrderedJson kNone = OrderedJson::array();
  const auto found = reading.find(key);
  return found == reading.end() ? kNone : *found;
}

const OrderedJson* row_named(const OrderedJson& rows, const char* key, const OrderedJson& name) {
  for (const auto& row : rows)
    if (row.is_object() && row.value(key, OrderedJson()) == name) return &row;
  return nullptr;
}

std::uint64_t count(const OrderedJson& object, const std::string& key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

// Per second; nothing if it went backwards. A counter begins again after 2^64.
double rate(const OrderedJson& before, const OrderedJson& after, const std::string& key,
            double seconds) {
  const auto more = static_cast<std::int64_t>(count(after, key) - count(before, key));
  return more > 0 ? std::round(static_cast<double>(more) / seconds * 10) / 10 : 0;
}

void busiest_first(OrderedJson& rows, const char* key) {
  std::vector<OrderedJson> sorted(rows.begin(), rows.end());
  std::ranges::stable_sort(sorted, std::greater{},
                           [&](const OrderedJson& row) { return number(row, key); });
  rows = std::move(sorted);
}

OrderedJson segment_rates(const OrderedJson& before, const OrderedJson& after, double seconds) {
  OrderedJson out = OrderedJson::array();
  for (const auto& now : part(after, "segments")) {
    if (!now.is_object()) continue;
    const OrderedJson name = now.value("segment", OrderedJson());
    const OrderedJson* then = row_named(part(before, "segments"), "segment", name);
    if (then == nullptr) continue;
    const auto of = [&](const char* key) { return rate(*then, now, key, seconds); };
    out.push_back({{"segment", name},
                   {"in_pps", of("in_packets")},
                   {"in_bps", of("in_bytes") * kBitsPerByte},
                   {"out_pps", of("out_packets")},
                   {"out_bps", of("out_bytes") * kBitsPerByte},
                   {"dropped_pps", of("dropped")}});
  }
  busiest_first(out, "in_pps");
  return out;
}

// Many rules, and both lists in another order each time: looked up by name.
OrderedJson conduit_rates(const OrderedJson& before, const OrderedJson& after, double seconds) {
  std::map<std::string, const OrderedJson*> then;
  for (const auto& row : part(before, "rules"))
    if (row.is_object() && row.contains("rule")) then[row["rule"].dump()] = &row;
  OrderedJson out = OrderedJson::array();
  for (const auto& now : part(after, "rules")) {
    if (!now.is_object() || !now.contains("rule")) continue;
    const auto found = then.find(now["rule"].dump());
    if (found == then.end()) continue;
    const double packets = rate(*found->second, now, "packets", seconds);
    if (packets == 0) continue;
    out.push_back({{"conduit", now["rule"]},
                   {"pps", packets},
                   {"bps", rate(*found->second, now, "bytes", seconds) * kBitsPerByte}});
  }
  busiest_first(out, "bps");
  return out;
}

OrderedJson drop_rates(const OrderedJson& before, const OrderedJson& after, double seconds) {
  OrderedJson out = OrderedJson::array();
  const OrderedJson& now = part(after, "drops");
  if (!now.is_object()) return out;
  for (const auto& [reason, count] : now.items())
    if (const double packets = rate(part(before, "drops"), now, reason, seconds); packets > 0)
      out.push_back({{"reason", reason}, {"pps", packets}});
  busiest_first(out, "pps");
  return out;
}

// 1234567 as "1.23 M".
std::string short_number(double value) {
  for (const auto& [unit, name] : {std::pair{1e9, "G"}, {1e6, "M"}, {1e3, "k"}})
    if (value >= unit) return fmt::format("{:.2f} {}", value / unit, name);
  return fmt::format("{:.0f}", value);
}

void add_table(const OrderedJson& rates, const char* key, const char* title, std::size_t lines,
               const Style& style, std::string& out) {
  OrderedJson rows = OrderedJson::array();
  const OrderedJson& all = part(rates, key);
  for (const auto& rate : all) {
    if (rows.size() == lines) break;
    OrderedJson row;
    for (const auto& [name, value] : rate.items())
      row[name] = value.is_number() ? OrderedJson(short_number(value.get<double>())) : value;
    rows.push_back(std::move(row));
  }
  out += "\n" + bold(title, style) + "\n";
  out += rows.empty() ? "nothing\n" : render(rows, style);
  if (all.size() > lines) out += fmt::format("and {} more\n", all.size() - lines);
}

}  // namespace

OrderedJson rates(const OrderedJson& before, const OrderedJson& after) {
  const double seconds = std::max((number(after, "at_ns") - number(before, "at_ns")) / 1e9, 1e-3);
  return {{"seconds", std::round(seconds * 1000) / 1000},
          {"flows", number(after, "flows")},
          {"segments", segment_rates(before, after, seconds)},
          {"conduits", conduit_rates(before, after, seconds)},
          {"drops", drop_rates(before, after, seconds)}};
}

std::string rates_text(const OrderedJson& rates, std::size_t lines, const Style& style) {
  std::string out = fmt::format("{:.0f} flows; rates over {:.1f} s\n", number(rates, "flows"),
                                number(rates, "seconds"));
  add_table(rates, "segments", "segments", lines, style, out);
  add_table(rates, "conduits", "conduits, busiest first", lines, style, out);
  add_table(rates, "drops", "dropped, by reason (sallyctl show drops says whose)", lines, style,
            out);
  return out;
}

}  // namespace sallyport::control
