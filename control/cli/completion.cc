#include "control/cli/completion.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "policy/base/drop_reasons.h"

namespace sallyport::control {
namespace {

constexpr const char* kRoot = "/";  // sallyctl itself

// Values that have a list: words, and names that the running gateway is asked for.
struct Named {
  std::string_view type;
  std::string_view words;
  std::string_view asked;  // arguments of sallyctl and the key in its answer, '/' between lists
};
constexpr std::array kNamed{
    Named{"SEGMENT", "", "show segments name"},
    Named{"DEVICE", "", "show devices name"},
    Named{"CONDUIT", "", "show conduits name"},
    Named{"PORT", "", "show ports name"},
    Named{"END", "gateway virtual", "show segments name/show devices name"},
    Named{"REVISION", "", "config history number"},
    Named{"PROTOCOL", "tcp udp icmp", ""},
    Named{"DURATION", "90s 10m 2h", ""},
};

// In bash's single quotes: nothing in there means anything to it.
std::string bash_word(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

// "{tcp,udp}" of "TEXT:{tcp,udp}", else what stands there.
std::string kind_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::size_t begin = type.find('{');
  const std::size_t end = type.find('}');
  if (begin != std::string::npos && end != std::string::npos && begin < end)
    return type.substr(begin, end + 1 - begin);
  return type.substr(0, type.find(':'));
}

struct Tables {
  std::string commands;  // command -> its subcommands
  std::string options;   // command -> its options
  std::string values;    // command and option, or command and place -> what its value is
};

void add(std::string& table, const std::string& key, const std::string& value) {
  table += fmt::format("  [{}]={}\n", bash_word(key), bash_word(value));
}

void collect(const CLI::App& app, const std::string& command, Tables& out) {
  const std::string before = command + " ";
  std::string options;
  int place = 0;
  for (const CLI::Option* option : app.get_options({})) {
    if (option->get_group().empty() || (command != kRoot && option == app.get_help_ptr())) continue;
    const bool has_value = option->get_items_expected_max() != 0;
    const auto name = [&](const std::string& spelled) {
      options += (options.empty() ? "" : " ") + spelled;
      if (has_value) add(out.values, before + spelled, kind_of(*option));
    };
    for (const std::string& one : option->get_lnames()) name("--" + one);
    for (const std::string& one : option->get_snames()) name("-" + one);
    if (!option->nonpositional())
      add(out.values, fmt::format("{}{}", before, ++place), kind_of(*option));
  }
  add(out.options, command, options);
  std::string commands;
  for (const CLI::App* sub : app.get_subcommands({})) {
    commands += (commands.empty() ? "" : " ") + sub->get_name();
    collect(*sub, (command == kRoot ? "" : before) + sub->get_name(), out);
  }
  if (!commands.empty()) add(out.commands, command, commands);
}

}  // namespace

std::string completion_tables(const CLI::App& app) {
  Tables tables;
  collect(app, kRoot, tables);
  std::string words;
  std::string asked;
  std::string reasons;
  for (const DropInfo& info : kDropInfo)
    reasons += (reasons.empty() ? "" : " ") + std::string(info.name);
  add(words, "REASON", reasons);
  for (const Named& one : kNamed) {
    if (!one.words.empty()) add(words, std::string(one.type), std::string(one.words));
    if (!one.asked.empty()) add(asked, std::string(one.type), std::string(one.asked));
  }
  std::string out =
      "# bash completion for sallyctl(1), generated from its command line; "
      "control/cli/completion.*\n";
  for (const auto& [name, rows] :
       {std::pair{"commands", &tables.commands}, std::pair{"options", &tables.options},
        std::pair{"values", &tables.values}, std::pair{"words", &words},
        std::pair{"asked", &asked}})
    out += fmt::format("declare -gA _sallyctl_{}=(\n{})\n", name, *rows);
  return out;
}

}  // namespace sallyport::control
