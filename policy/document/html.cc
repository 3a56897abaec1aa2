#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "policy/document/content.h"

namespace sallyport::document {
namespace {

// Pixels of the matrix.
constexpr std::size_t kCell = 44;
constexpr std::size_t kLetter = 8;
constexpr std::size_t kMargin = 12;
constexpr std::size_t kMaxLabel = 24;

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;margin:2em auto;max-width:80em;padding:0 1em;"
    "color:#1a1a1a}"
    "table{border-collapse:collapse;margin:1em 0;display:block;overflow-x:auto}"
    "th,td{border:1px solid #bbb;padding:.25em .6em;text-align:left;vertical-align:top}"
    "th{background:#eee}td:first-child{font-weight:600}svg{max-width:100%}"
    "@media print{table{display:table}}";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else if (c == '\'')
      out += "&#39;";
    else
      out += c;
  }
  return out;
}

std::string row_of(const char* tag, const Row& row) {
  std::string out = "<tr>";
  for (const std::string& cell : row) out += fmt::format("<{0}>{1}</{0}>", tag, escaped(cell));
  return out + "</tr>\n";
}

std::string table_of(const Row& head, const std::vector<Row>& rows) {
  std::string out = "<table>\n";
  if (!head.empty()) out += row_of("th", head);
  for (const Row& row : rows) out += row_of("td", row);
  return out + "</table>\n";
}

std::string label(const std::string& text) {
  return text.size() <= kMaxLabel ? text : text.substr(0, kMaxLabel - 3) + "...";
}

std::size_t widest(const std::vector<std::string>& labels) {
  std::size_t out = 0;
  for (const std::string& one : labels) out = std::max(out, label(one).size());
  return out * kLetter + kMargin;
}

// Filled where somebody may start a flow; its figure counts the rules, which a pointer shows.
std::string cell_of(std::size_t x, std::size_t y, const std::string& from, const std::string& to,
                    const std::vector<std::string>& rules) {
  const std::string words = rules.empty() ? "denied" : fmt::format("{}", fmt::join(rules, ", "));
  std::string out = fmt::format(
      "<g><title>{}</title><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\" "
      "stroke=\"#888\"/>",
      escaped(fmt::format("{} to {}: {}", from, to, words)), x, y, kCell, kCell,
      rules.empty() ? "#f4f4f4" : "#7db3e8");
  if (!rules.empty())
    out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>", x + kCell / 2,
                       y + kCell / 2 + 5, rules.size());
  return out + "</g>\n";
}

std::string picture_of(const Matrix& matrix) {
  const std::size_t left = widest(matrix.from);
  const std::size_t top = widest(matrix.to);
  const std::size_t width = left + matrix.to.size() * kCell + kMargin;
  const std::size_t height = top + matrix.from.size() * kCell + kMargin;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" aria-label=\"{}\" width=\"{}\" "
      "height=\"{}\" viewBox=\"0 0 {} {}\" font-family=\"monospace\" font-size=\"13\">\n",
      kMatrixTitle, width, height, width, height);
  for (std::size_t t = 0; t < matrix.to.size(); ++t) {
    const std::size_t x = left + t * kCell + kCell / 2 + 4;
    out += fmt::format("<text x=\"{0}\" y=\"{1}\" transform=\"rotate(-90 {0} {1})\">{2}</text>\n",
                       x, top - 6, escaped(label(matrix.to[t])));
  }
  for (std::size_t f = 0; f < matrix.from.size(); ++f) {
    const std::size_t y = top + f * kCell;
    out += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\n", left - 6,
                       y + kCell / 2 + 5, escaped(label(matrix.from[f])));
    for (std::size_t t = 0; t < matrix.to.size(); ++t)
      out += cell_of(left + t * kCell, y, matrix.from[f], matrix.to[t], matrix.rules[f][t]);
  }
  return out + "</svg>\n";
}

}  // namespace

std::string to_html(const Subject& subject) {
  const Content content = content_of(subject);
  const std::string title = escaped(content.title);
  std::string out = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n",
      title, kStyle);
  out += table_of({}, content.facts.rows);
  for (const Table& table : content.tables)
    out += fmt::format("<h2>{}</h2>\n{}", escaped(table.title), table_of(table.head, table.rows));
  out += fmt::format("<h2>{}</h2>\n<p>{}</p>\n{}", kMatrixTitle, kMatrixHelp,
                     picture_of(content.matrix));
  out += fmt::format("<h2>{}</h2>\n", kNotEnforceable);
  if (content.not_enforceable.empty()) out += fmt::format("<p>{}</p>\n", escaped(kAllEnforceable));
  for (const std::string& one : content.not_enforceable)
    out += fmt::format("<p>{}</p>\n", escaped(one));
  return out + "</body>\n</html>\n";
}

}  // namespace sallyport::document
