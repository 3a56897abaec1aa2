#include "tests/unit/terminator/pki.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "policy/base/check.h"
#include "tests/support/source_tree.h"

namespace sallyport::terminator::testing {
namespace {

struct Folder {
  std::string path;
  Folder() {
    path = std::filesystem::temp_directory_path() / ("sallyport-pki-" + std::to_string(::getpid()));
    const std::string script = source_path("tests/system/pki.sh");
    std::vector<std::string> words = {script, path, "DNS:gw.example", "IP:127.0.0.1"};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    pid_t child = 0;
    SALLYPORT_CHECK(
        ::posix_spawn(&child, script.c_str(), nullptr, nullptr, arguments.data(), environ) == 0);
    int status = 0;
    SALLYPORT_CHECK(::waitpid(child, &status, 0) == child);
    SALLYPORT_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
};

}  // namespace

const std::string& pki_folder() {
  static const Folder folder;
  return folder.path;
}

ConstBytes pki(const std::string& file) {
  static std::map<std::string, std::vector<std::uint8_t>> files;
  auto [at, fresh] = files.try_emplace(file);
  if (fresh) {
    std::ifstream in(pki_folder() + "/" + file, std::ios::binary);
    SALLYPORT_CHECK(in.good());
    at->second.assign(std::istreambuf_iterator<char>(in), {});
  }
  return at->second;
}

}  // namespace sallyport::terminator::testing
