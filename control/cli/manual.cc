#include "control/cli/manual.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "control/cli/exit_codes.h"

namespace sallyport::control {
namespace {

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

// A help text: lines that are indented are examples, and stay as they are.
std::string paragraph(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty()) continue;
    out += line.starts_with("  ") ? fmt::format(".PP\n.nf\n{}\n.fi\n", roff_text(line))
                                  : roff_text(line) + "\n";
  }
  return out;
}

// Its lines, as they are; empty ones are left out.
std::string verbatim(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (end > 0) out += roff_text(text.substr(0, end)) + "\n";
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

bool takes_value(const CLI::Option& option) { return option.get_items_expected_max() != 0; }

// "FILE", "FLOAT in [0.1 - 3600]", "{tcp,udp}": where a check says more, what it says.
std::string value_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t check = type.find(':');
  return check == std::string::npos ? type : type.substr(check + 1);
}

// "\fB-w\fR, \fB--write\fR \fIFILE\fR" or "\fIfile\fR".
std::string term(const CLI::Option& option) {
  if (!option.nonpositional()) return "\\fI" + roff_text(option.get_name(true)) + "\\fR";
  std::string out;
  const auto add = [&](std::string_view dashes, const std::string& name) {
    out +=
        fmt::format("{}\\fB{}\\fR", out.empty() ? "" : ", ", roff_text(std::string(dashes) + name));
  };
  for (const std::string& name : option.get_snames()) add("-", name);
  for (const std::string& name : option.get_lnames()) add("--", name);
  if (takes_value(option)) out += " \\fI" + roff_text(value_of(option)) + "\\fR";
  return out;
}

std::string option_entry(const CLI::Option& option) {
  std::string text = option.get_description();
  const std::string otherwise = option.get_default_str();
  const bool required = option.get_required() && option.nonpositional();
  if (!text.empty() && (required || !otherwise.empty())) text += ".";
  std::string out = fmt::format(".TP\n{}\n{}", term(option), paragraph(text));
  if (required) out += "It must be given.\n";
  if (!otherwise.empty()) out += fmt::format("Default: \\fB{}\\fR.\n", roff_text(otherwise));
  return out;
}

bool is_help(const CLI::App& app, const CLI::Option* option) {
  return option == app.get_help_ptr();
}

std::string options_of(const CLI::App& app, bool with_help) {
  std::string out;
  for (const CLI::Option* option : app.get_options({}))
    if ((with_help || !is_help(app, option)) && !option->get_group().empty())
      out += option_entry(*option);
  return out;
}

// What follows the command's name: its options, then its arguments.
std::string usage_of(const CLI::App& app) {
  std::string options;
  std::string arguments;
  for (const CLI::Option* option : app.get_options({})) {
    if (is_help(app, option) || option->get_group().empty()) continue;
    const std::string one = term(*option);
    (option->nonpositional() ? options : arguments) +=
        "\n" + (option->get_required() ? one : "[" + one + "]") +
        (!option->nonpositional() && option->get_expected_max() > 1 ? " ..." : "");
  }
  return options + arguments;
}

// `name` begins with a space.
std::string command(const CLI::App& app, const std::string& name) {
  return fmt::format(".SS \"{}\"\n.nh\n.ad l\n\\fB{}\\fR{}\n.ad b\n.hy\n.PP\n{}{}",
                     roff_text(name.substr(1)), roff_text("sallyctl" + name), usage_of(app),
                     paragraph(app.get_description()), options_of(app, false));
}

void commands_of(const CLI::App& app, const std::string& parents, std::string& out) {
  for (const CLI::App* sub : app.get_subcommands({})) {
    const std::string name = parents + " " + sub->get_name();
    const bool has_own = !sub->get_subcommands({}).empty();
    // One that does something by itself has its place before its subcommands.
    if (!has_own || sub->get_require_subcommand_min() == 0) out += command(*sub, name);
    if (has_own) commands_of(*sub, name, out);
  }
}

std::string exit_status() {
  std::string out;
  for (const ExitStatus& status : exit_statuses()) {
    out += fmt::format(".TP\n\\fB{}\\fR\n{}.\n", static_cast<int>(status.exit),
                       roff_text(status.help));
    if (status.refusals.empty()) continue;
    out += "Codes with \\fB\\-\\-json\\fR:\n";
    for (std::size_t i = 0; i < status.refusals.size(); ++i)
      out += roff_text(status.refusals[i]) + (i + 1 == status.refusals.size() ? ".\n" : ",\n");
    if (status.exit == kExitRefused) out += "And every code that is named nowhere else.\n";
  }
  return out;
}

}  // namespace

std::string roff_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\e";
    else if (c == '-')
      out += "\\-";
    else if (c == '"')
      out += "\\(dq";
    else if ((c == '.' || c == '\'') && out.empty())
      out += std::string("\\&") + c;
    else
      out += c;
  }
  return out;
}

std::string manual_page(const CLI::App& app, std::string_view version,
                        std::string_view first_steps) {
  const std::string& name = app.get_name();
  std::string out = fmt::format(
      ".\\\" Generated from the command line by control/cli/manual.cc.\n"
      ".TH {} 1 \"\" \"Sallyport {}\" \"Sallyport\"\n.SH NAME\n{} \\- {}\n"
      ".SH SYNOPSIS\n\\fB{}\\fR [\\fIOPTIONS\\fR] \\fICOMMAND\\fR ...\n.SH DESCRIPTION\n",
      upper(name), version, name, roff_text("the operator's command for a Sallyport gateway"),
      name);
  out += paragraph(app.get_description()) + ".PP\n.nf\n" + verbatim(first_steps);
  out += ".fi\n.SH OPTIONS\nThese may stand anywhere.\n" + options_of(app, true);
  out += ".SH COMMANDS\n";
  commands_of(app, "", out);
  out += ".SH EXIT STATUS\n" + exit_status();
  out +=
      ".SH SEE ALSO\n\\fBsallyport\\-control\\fR(8), \\fBsallyport\\-dataplane\\fR(8), "
      "\\fBsallyport\\-terminator\\fR(8), \\fBsallyport\\-setup\\fR(8), "
      "\\fBsallyport\\-exporter\\fR(8)\n";
  return out;
}

}  // namespace sallyport::control
