// JSON as people read it: an array of objects becomes a table, an object "name: value" lines. One
// renderer for every `show`, so table and --json can never say different things.
//
// Values come from other processes: control bytes are replaced before a terminal sees them. Pure.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace sallyport::control {

struct Style {
  bool colour = false;
};

// Ends with a newline. Columns in the order of first appearance, names first and long texts last;
// absent values are '-'.
std::string render(const nlohmann::ordered_json& value, const Style& style);
// Seconds since 1970 as "2026-11-23 22:40:07 UTC".
std::string render_time(std::int64_t seconds);
// Without the control bytes that another process may have put into it.
std::string printable(std::string text);
// Bold, green or red when `style` says so.
std::string bold(const std::string& text, const Style& style);
std::string good(const std::string& text, const Style& style);
std::string bad(const std::string& text, const Style& style);

}  // namespace sallyport::control
