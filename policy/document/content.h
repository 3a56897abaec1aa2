// What a document says, before it is Markdown or HTML. Internal to policy/document.
#pragma once

#include <string>
#include <vector>

#include "policy/document/document.h"

namespace sallyport::document {

using Row = std::vector<std::string>;

struct Table {
  std::string title;
  Row head;
  std::vector<Row> rows;
};

// Who may start a flow (rows) to whom (columns), and by which conduits and services.
struct Matrix {
  std::vector<std::string> from;
  std::vector<std::string> to;
  std::vector<std::vector<std::vector<std::string>>> rules;  // [from][to]
};

struct Content {
  std::string title;
  Table facts;  // without a head
  std::vector<Table> tables;
  Matrix matrix;
  std::vector<std::string> not_enforceable;
};

Content content_of(const Subject& subject);

// Texts come from an operator's file: control bytes become '?'.
std::string printable(std::string_view text);

inline constexpr const char* kMatrixTitle = "Who may start a flow to whom";
inline constexpr const char* kMatrixHelp =
    "Rows start flows, columns are where they go; a figure counts conduits and services. "
    "Everything "
    "else is denied.";
inline constexpr const char* kNotEnforceable = "Not enforceable";
inline constexpr const char* kAllEnforceable =
    "The gateway stands between all devices (those on one port are isolated, by the operator's "
    "word).";

}  // namespace sallyport::document
