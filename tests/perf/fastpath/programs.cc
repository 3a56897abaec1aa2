#include "tests/perf/fastpath/programs.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>

#include "policy/os/fd.h"
#include "tests/support/process.h"

namespace sallyport::bench {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kLongestEnd(5000);

}  // namespace

std::string run_for(double seconds, const std::vector<std::string>& arguments) {
  const os::UniqueFd printed(::memfd_create("printed", MFD_CLOEXEC));
  {
    testing::Process process(arguments, [&] {
      ::dup2(printed.get(), STDOUT_FILENO);
      ::dup2(printed.get(), STDERR_FILENO);
      std::signal(SIGINT, SIG_DFL);
    });
    if (!process.wait(milliseconds(static_cast<std::int64_t>(seconds * 1000)))) {
      process.signal(SIGINT);
      process.wait(kLongestEnd);
    }
  }
  std::string out(static_cast<std::size_t>(::lseek(printed.get(), 0, SEEK_END)), '\0');
  const ssize_t size = ::pread(printed.get(), out.data(), out.size(), 0);
  out.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return out;
}

Result<std::string> run_well(const std::vector<std::string>& arguments) {
  testing::Ran ran = testing::run(arguments);
  if (ran.status != 0) return no_figure(fmt::format("{}", fmt::join(arguments, " ")), ran.output);
  return std::move(ran.output);
}

std::unexpected<Error> no_figure(const std::string& who, const std::string& printed) {
  constexpr std::size_t kMost = 1000;
  return fail(
      ErrorKind::kSystem, "no-figure",
      fmt::format("{}: {}", who, printed.substr(printed.size() - std::min(printed.size(), kMost))));
}

bool installed(const std::string& program) {
  if (program.starts_with('/')) return ::access(program.c_str(), X_OK) == 0;
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/sbin/", "/bin/"})
    if (::access((folder + program).c_str(), X_OK) == 0) return true;
  return false;
}

std::optional<double> number_after(std::string_view text, std::string_view label) {
  const std::size_t at = text.find(label);
  if (at == text.npos) return std::nullopt;
  text.remove_prefix(at + label.size());
  text.remove_prefix(std::min(text.find_first_not_of(" \t("), text.size()));
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  return value;
}

}  // namespace sallyport::bench
