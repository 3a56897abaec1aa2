#include "control/cli/render.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/app/utc.h"

namespace sallyport::control {
std::string printable(std::string text) {
  for (char& c : text)
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  return text;
}

namespace {

using nlohmann::ordered_json;

// Keys whose numbers are seconds since 1970.
bool is_time(std::string_view key) { return key == "time" || key == "first" || key == "last"; }

std::string cell(std::string_view key, const ordered_json& value) {
  if (value.is_null()) return "-";
  if (value.is_string()) {
    const std::string text = printable(value.get<std::string>());
    return text.empty() ? "-" : text;
  }
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number() && is_time(key) && value.get<double>() > 1e9)
    return render_time(static_cast<std::int64_t>(value.get<double>()));
  if (value.is_array()) {
    std::string out;
    for (const auto& item : value) out += (out.empty() ? "" : ", ") + cell("", item);
    return out.empty() ? "-" : out;
  }
  if (value.is_object()) {
    std::string out;
    for (const auto& [name, item] : value.items())
      out += (out.empty() ? "" : ", ") + printable(name) + "=" + cell(name, item);
    return out.empty() ? "-" : out;
  }
  return value.dump();
}

bool is_table(const ordered_json& value) {
  return value.is_array() && !value.empty() &&
         std::all_of(value.begin(), value.end(), [](const auto& row) { return row.is_object(); });
}

// Display width: bytes that start a character (RFC 3629); wide ones are not counted twice.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

constexpr int kLastRank = 3;

// What identifies a row comes first, what is long comes last.
int rank(std::string_view column) {
  if (column == "number" || column == "name") return 0;
  if (column == "time") return 1;
  if (column == "detail" || column == "comment" || column == "help" || column == "summary")
    return kLastRank;
  return 2;
}

std::string table(const ordered_json& rows, const Style& style) {
  std::vector<std::string> columns;
  for (const auto& row : rows)
    for (const auto& [key, value] : row.items())
      if (std::find(columns.begin(), columns.end(), key) == columns.end()) columns.push_back(key);
  std::vector<std::string> ranked;
  for (int wanted = 0; wanted <= kLastRank; ++wanted)
    for (const std::string& column : columns)
      if (rank(column) == wanted) ranked.push_back(column);
  columns = std::move(ranked);
  std::vector<std::size_t> widths;
  std::vector<std::vector<std::string>> lines;
  for (const std::string& column : columns) widths.push_back(width(printable(column)));
  for (const auto& row : rows) {
    std::vector<std::string>& line = lines.emplace_back();
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const auto found = row.find(columns[i]);
      line.push_back(found == row.end() ? "-" : cell(columns[i], *found));
      widths[i] = std::max(widths[i], width(line.back()));
    }
  }
  std::string head;
  for (std::size_t i = 0; i < columns.size(); ++i)
    head += printable(columns[i]) +
            std::string(i + 1 == columns.size() ? 0 : widths[i] - width(columns[i]) + 2, ' ');
  std::string out = bold(head, style) + "\n";
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i)
      out += line[i] + std::string(i + 1 == line.size() ? 0 : widths[i] - width(line[i]) + 2, ' ');
    out += "\n";
  }
  return out;
}

}  // namespace

std::string bold(const std::string& text, const Style& style) {
  return style.colour ? "\033[1m" + text + "\033[0m" : text;
}
std::string good(const std::string& text, const Style& style) {
  return style.colour ? "\033[32m" + text + "\033[0m" : text;
}
std::string bad(const std::string& text, const Style& style) {
  return style.colour ? "\033[31m" + text + "\033[0m" : text;
}

std::string render_time(std::int64_t seconds) { return utc_text(seconds); }

std::string render(const ordered_json& value, const Style& style) {
  if (is_table(value)) return table(value, style);
  if (value.is_array() && value.empty()) return "nothing\n";
  if (!value.is_object()) return cell("", value) + "\n";
  // An object that wraps one list is that list.
  if (value.size() == 1 && value.begin()->is_array()) return render(*value.begin(), style);
  std::string out;
  std::size_t widest = 0;
  for (const auto& [key, item] : value.items())
    if (!is_table(item)) widest = std::max(widest, width(printable(key)));
  for (const auto& [key, item] : value.items())
    if (!is_table(item))
      out += fmt::format("{}{}  {}\n", printable(key),
                         std::string(widest - width(printable(key)), ' '), cell(key, item));
  for (const auto& [key, item] : value.items())
    if (is_table(item))
      out += fmt::format("\n{}\n{}", bold(printable(key) + ":", style), table(item, style));
  return out;
}

}  // namespace sallyport::control
