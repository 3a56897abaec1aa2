#include "tests/support/sallyctl_reads.h"

#include <algorithm>
#include <map>
#include <set>

#include "control/cli/commands.h"

namespace sallyport::testing {
namespace {

// They change what is in force, open an editor, or watch until they are ended.
const std::set<std::string> kNoReads = {"config apply",    "config confirm",   "config edit",
                                        "config rollback", "capture",          "trace",
                                        "review sign",     "review sign-rules"};

std::map<std::string, std::vector<std::string>> asked_with(const std::string& file) {
  return {
      {"config check", {file}},
      {"config diff", {file}},
      {"top", {"--count", "1", "--interval", "0.1"}},
      {"explain", {"--in", "field", "--candidate", file, "10.20.0.5:1", "10.20.0.1:53", "udp"}}};
}

void leaves(const CLI::App& app, const std::vector<std::string>& words,
            std::vector<std::vector<std::string>>& out) {
  const auto subs = app.get_subcommands([](const CLI::App*) { return true; });
  // One that needs no subcommand does something by itself.
  if (!words.empty() && app.get_require_subcommand_min() == 0) out.push_back(words);
  for (const CLI::App* sub : subs) {
    std::vector<std::string> longer = words;
    longer.push_back(sub->get_name());
    leaves(*sub, longer, out);
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

}  // namespace

std::vector<std::vector<std::string>> sallyctl_reads(const std::string& file) {
  CLI::App app;
  control::Context context;
  control::build_command_line(app, context);
  std::vector<std::vector<std::string>> found;
  leaves(app, {}, found);
  std::erase_if(found, [](const auto& words) { return kNoReads.contains(joined(words)); });
  const auto more = asked_with(file);
  for (std::vector<std::string>& words : found)
    if (const auto at = more.find(joined(words)); at != more.end())
      words.insert(words.end(), at->second.begin(), at->second.end());
  return found;
}

bool reads_files_only(const std::vector<std::string>& words) {
  return words[0] == "version" || (words[0] == "config" && words[1] == "check");
}

}  // namespace sallyport::testing
