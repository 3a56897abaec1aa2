// config edit: the text in force in the operator's editor, then checked, compared, applied. Nobody
// else can commit meanwhile; whatever goes wrong, what was written is kept.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "control/cli/config.h"
#include "control/cli/diff.h"
#include "control/config/tree.h"
#include "policy/os/system_error.h"

namespace sallyport::control {
namespace {

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Words of $VISUAL or $EDITOR ("code -w"); no shell sees them.
std::vector<std::string> editor_words() {
  std::string text = from_environment("VISUAL");
  if (text.empty()) text = from_environment("EDITOR");
  std::vector<std::string> words;
  std::string word;
  for (const char c : text + " ") {
    if (c != ' ') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (words.empty()) words.emplace_back("sensible-editor");  // Debian's: asks, then finds one
  return words;
}

Result<void> run_editor(const std::string& file) {
  std::vector<std::string> words = editor_words();
  words.push_back(file);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  const pid_t child = ::fork();
  if (child < 0) return fail(os::system_error("editor-failed", "fork"));
  if (child == 0) {
    ::execvp(argv[0], argv.data());
    if (words[0] == "sensible-editor") ::execlp("vi", "vi", file.c_str(), nullptr);
    ::_exit(127);
  }
  // Ctrl-C is the editor's.
  struct sigaction ignore{};
  struct sigaction before{};
  ignore.sa_handler = SIG_IGN;
  ::sigaction(SIGINT, &ignore, &before);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::sigaction(SIGINT, &before, nullptr);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return fail(ErrorKind::kSystem, "editor-failed",
              fmt::format("the editor '{}' {}", words[0],
                          WIFEXITED(status) && WEXITSTATUS(status) == 127
                              ? "cannot be run; set EDITOR"
                              : "did not end well; nothing was applied"));
}

// The operator's text while it is being edited. Kept unless remove() was called.
class Draft {
 public:
  static Result<Draft> make(const std::string& text) {
    std::string folder = from_environment("TMPDIR");
    if (folder.empty()) folder = "/tmp";
    std::string path = folder + "/gateway-XXXXXX.yaml";
    constexpr int kSuffix = 5;
    const os::UniqueFd file(::mkstemps(path.data(), kSuffix));
    if (!file) return fail(os::system_error("cannot-read", path));
    std::ofstream out(path, std::ios::binary);
    if (!(out << text << std::flush)) return fail(os::system_error("cannot-read", path));
    return Draft(path);
  }
  const std::string& path() const { return path_; }
  void remove() const { ::unlink(path_.c_str()); }

 private:
  explicit Draft(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

// Says where the text is, and ends with `code`.
int keep(const Draft& draft, int code) {
  std::cerr << "your text is kept in " << draft.path() << "\n";
  return code;
}

// What to do with a text that was written.
enum class Next : std::uint8_t { kApply, kAgain, kKeep };

Next ask_next(const std::string& question) {
  if (::isatty(STDIN_FILENO) == 0 || ::isatty(STDERR_FILENO) == 0) return Next::kKeep;
  std::cerr << question << " " << std::flush;
  std::string answer;
  std::getline(std::cin, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return Next::kApply;
  return answer == "e" || answer == "E" ? Next::kAgain : Next::kKeep;
}

}  // namespace

int config_edit(const Context& context, const ConfigWords& words) {
  auto body = commit_body("apply", words);
  if (!body) return context.refuse(body.error());
  const auto connection = context.client().connect();
  if (!connection) return context.refuse(connection.error());
  const auto begun = connection->ask({{"op", "edit"}, {"take_over", words.take_over}});
  if (!begun) return context.refuse(begun.error());
  const std::string before = begun->result.value("text", "");
  const auto number = begun->result.value("revision", std::uint64_t{0});
  const auto draft = Draft::make(before);
  if (!draft) return context.refuse(draft.error());
  if (number != 0) (*body)["base"] = number;
  while (true) {
    if (const auto edited = run_editor(draft->path()); !edited)
      return keep(*draft, context.refuse(edited.error()));
    const auto text = read_file(draft->path(), kMaxConfigSize + 1);
    if (!text) return keep(*draft, context.refuse(text.error()));
    if (*text == before) {
      draft->remove();
      std::cerr << "nothing was changed\n";
      return kExitDone;
    }
    if (const auto checked = check_text(*text, gateway_authorities(context)); !checked) {
      const int code = print_problems(context, draft->path(), checked.error(), true);
      if (ask_next("e = edit again, anything else = leave it:") == Next::kAgain) continue;
      return keep(*draft, code);
    }
    if (!context.json)
      std::cout << unified_diff(before, *text, fmt::format("revision {}", number), "edited")
                << std::flush;
    const Next next = words.yes ? Next::kApply : ask_next("Apply this? [y/N, e = edit again]");
    if (next == Next::kAgain) continue;
    if (next == Next::kKeep)
      return keep(*draft, context.refuse({ErrorKind::kRefused, "confirmation-needed",
                                          "it was not confirmed, so nothing was applied\n"
                                          "  next: the same with --yes, or sallyctl config apply " +
                                              draft->path()}));
    const int code = commit(context, *connection, {*body, *text, draft->path()});
    if (code != kExitDone) {
      if (code == kExitMistakes &&
          ask_next("e = edit again, anything else = leave it:") == Next::kAgain)
        continue;
      return keep(*draft, code);
    }
    draft->remove();
    return kExitDone;
  }
}

}  // namespace sallyport::control
