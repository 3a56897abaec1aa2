#include "control/app/database_file.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "policy/os/fd.h"
#include "policy/os/log.h"
#include "policy/os/system_error.h"

namespace sallyport::control {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxDamagedFiles = 3;
constexpr std::size_t kMaxOutput = 4096;
constexpr const char* kNotes = "/mended";

struct Ran {
  int status = -1;
  std::string said;  // the end of it
};
enum class Hear : bool { kErrors, kOutput };

// ovsdb-tool, which has no other way than a program.
Ran run_tool(std::vector<std::string> arguments, Hear hear = Hear::kErrors) {
  arguments.insert(arguments.begin(), "ovsdb-tool");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const os::UniqueFd reader(ends[0]);
  os::UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    const int nothing = ::open("/dev/null", O_RDWR);
    if (nothing < 0) ::_exit(127);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(hear == Hear::kOutput ? writer.get() : nothing, STDOUT_FILENO);
    ::dup2(hear == Hear::kErrors ? writer.get() : nothing, STDERR_FILENO);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  writer.reset();
  Ran out;
  std::array<char, 4096> part{};
  for (ssize_t size = 0; (size = ::read(reader.get(), part.data(), part.size())) > 0;) {
    out.said.append(part.data(), static_cast<std::size_t>(size));
    if (out.said.size() > kMaxOutput) out.said.erase(0, out.said.size() - kMaxOutput);
  }
  int status = 0;
  if (child > 0 && ::waitpid(child, &status, 0) == child && WIFEXITED(status))
    out.status = WEXITSTATUS(status);
  while (out.said.ends_with('\n')) out.said.pop_back();
  return out;
}

Result<void> must_run(const std::vector<std::string>& arguments, const std::string& next) {
  const Ran ran = run_tool(arguments);
  if (ran.status == 0) return {};
  return fail(ErrorKind::kSystem, "database-file",
              fmt::format("ovsdb-tool {} failed: {}; {}", arguments[0],
                          ran.status == 127 ? "it is not installed" : ran.said, next));
}

// For control, which starts later and tells the operator.
void note(const std::string& folder, const std::string& text) {
  os::log::warning(text);
  std::error_code error;
  fs::create_directory(folder + "/control", error);
  std::ofstream(folder + "/control" + kNotes, std::ios::app) << text << '\n';
}

void bound_damaged_files(const std::string& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.path().filename().string().starts_with("gateway.db.damaged-"))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());  // their names are times
  while (files.size() > kMaxDamagedFiles) {
    fs::remove(files.front(), error);
    files.erase(files.begin());
  }
}

std::string damaged_name(const std::string& file, std::int64_t now_s) {
  return fmt::format("{}.damaged-{:%Y%m%dT%H%M%SZ}", file,
                     fmt::gmtime(static_cast<std::time_t>(now_s)));
}

// Damage is judged only in a file that we may read and ovsdb-server may write.
Result<void> must_be_ours(const std::string& file) {
  const os::UniqueFd opened(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (opened) return {};
  Error error = os::system_error("database-file", file);
  error.context += "; it must belong to the user of sallyport-control";
  return fail(std::move(error));
}

// Up to the damage it can be served: a copy is kept of what will be cut off.
void keep_copy(const std::string& folder, const std::string& file, const std::string& kept,
               const std::string& problem) {
  std::error_code error;
  fs::copy_file(file, kept, fs::copy_options::overwrite_existing, error);
  const bool copied = !error;
  if (!copied) fs::remove(kept, error);
  note(folder,
       fmt::format("{} is damaged: {}; {}; what was written before the damage is used", file,
                   problem,
                   copied ? "a copy is kept as " + kept : "there is no room to keep a copy of it"));
}

// It cannot be served at all: it is put aside, and a new one is made.
Result<void> replace(const std::string& folder, const std::string& file, const std::string& kept,
                     const std::string& problem) {
  std::error_code error;
  fs::rename(file, kept, error);
  if (error)
    return fail(ErrorKind::kSystem, "database-file",
                fmt::format("{} is damaged and cannot be put aside: {}", file, error.message()));
  note(folder, fmt::format("{} is damaged: {}; it is kept as {}; a new one is made, and the last "
                           "confirmed revision is taken from the recovery copy",
                           file, problem, kept));
  return {};
}

}  // namespace

Result<void> prepare_database(const std::string& folder, std::string_view schema,
                              std::int64_t now_s) {
  const std::string file = folder + "/gateway.db";
  const std::string schema_file = folder + "/gateway.ovsschema";
  const std::string room = fmt::format("is there room? df {}", folder);
  std::ifstream old(schema_file);
  if (std::string(std::istreambuf_iterator<char>(old), {}) != schema &&
      !(std::ofstream(schema_file) << schema << std::flush))
    return fail(ErrorKind::kSystem, "database-file", "cannot write " + schema_file + "; " + room);
  if (!fs::exists(file)) return must_run({"create", file, schema_file}, room);
  SALLYPORT_TRY_VOID(must_be_ours(file));
  SALLYPORT_TRY_VOID(must_run({"--version"}, "install ovsdb-tool"));

  const Ran whole = run_tool({"show-log", file});
  const Ran older = run_tool({"needs-conversion", file, schema_file}, Hear::kOutput);
  if (whole.status == 0) {
    if (older.said == "no") return {};
    return must_run({"convert", file, schema_file}, room);
  }
  const std::string kept = damaged_name(file, now_s);
  // A damaged file cannot be converted; an unreadable one is not even served.
  if (older.status == 0 && older.said == "no") {
    keep_copy(folder, file, kept, whole.said);
  } else {
    SALLYPORT_TRY_VOID(replace(folder, file, kept, whole.said));
    SALLYPORT_TRY_VOID(must_run({"create", file, schema_file}, room));
  }
  bound_damaged_files(folder);
  return {};
}

std::vector<std::string> take_mended(const std::string& control_folder) {
  std::vector<std::string> out;
  const std::string path = control_folder + kNotes;
  {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) out.push_back(line);
  }
  std::error_code error;
  if (!out.empty()) fs::remove(path, error);
  return out;
}

}  // namespace sallyport::control
