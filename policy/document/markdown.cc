#include <fmt/format.h>
#include <fmt/ranges.h>

#include "policy/document/content.h"

namespace sallyport::document {
namespace {

// What would be a table's border, a tag or emphasis stays text.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (c == '<') {
      out += "&lt;";
      continue;
    }
    if (c == '|' || c == '\\' || c == '*' || c == '_' || c == '`' || c == '[') out += '\\';
    out += c;
  }
  return out;
}

std::string line_of(const Row& row) {
  std::string out = "|";
  for (const std::string& cell : row) out += " " + (cell.empty() ? "-" : escaped(cell)) + " |";
  return out + "\n";
}

std::string table_of(const Row& head, const std::vector<Row>& rows) {
  std::string out = line_of(head) + "|";
  for (std::size_t i = 0; i < head.size(); ++i) out += "---|";
  out += "\n";
  for (const Row& row : rows) out += line_of(row);
  return out;
}

std::string matrix_of(const Matrix& matrix) {
  Row head = {"from \\ to"};
  head.insert(head.end(), matrix.to.begin(), matrix.to.end());
  std::vector<Row> counts;
  std::string list;
  for (std::size_t f = 0; f < matrix.from.size(); ++f) {
    Row& row = counts.emplace_back(Row{matrix.from[f]});
    for (std::size_t t = 0; t < matrix.to.size(); ++t) {
      const auto& rules = matrix.rules[f][t];
      row.push_back(rules.empty() ? "-" : std::to_string(rules.size()));
      if (!rules.empty())
        list += fmt::format("* {} to {}: {}\n", escaped(matrix.from[f]), escaped(matrix.to[t]),
                            escaped(fmt::format("{}", fmt::join(rules, ", "))));
    }
  }
  return table_of(head, counts) + "\n" + list;
}

}  // namespace

std::string to_markdown(const Subject& subject) {
  const Content content = content_of(subject);
  std::string out = fmt::format("# {}\n\n", escaped(content.title));
  out += table_of({"this revision", "is"}, content.facts.rows);
  for (const Table& table : content.tables)
    out += fmt::format("\n## {}\n\n{}", table.title, table_of(table.head, table.rows));
  out += fmt::format("\n## {}\n\n{}\n\n{}", kMatrixTitle, kMatrixHelp, matrix_of(content.matrix));
  out += fmt::format("\n## {}\n\n", kNotEnforceable);
  for (const std::string& one : content.not_enforceable) out += "* " + escaped(one) + "\n";
  if (content.not_enforceable.empty()) out += std::string(kAllEnforceable) + "\n";
  return out;
}

}  // namespace sallyport::document
