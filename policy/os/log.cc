#include "policy/os/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <memory>
#include <string>

namespace sallyport::os::log {
namespace {

std::shared_ptr<spdlog::logger>& logger() {
  static std::shared_ptr<spdlog::logger> instance = std::make_shared<spdlog::logger>(
      "sallyport", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  return instance;
}

}  // namespace

void open(std::string_view program) {
  logger() = std::make_shared<spdlog::logger>(std::string(program),
                                              std::make_shared<spdlog::sinks::stderr_sink_mt>());
  // The journal stamps time and reads the level from the prefix; a person at a terminal wants to
  // see both.
  logger()->set_pattern(::isatty(STDERR_FILENO) != 0 ? "%H:%M:%S.%e %l %n: %v" : "%n: %l: %v");
  logger()->set_level(spdlog::level::info);
  logger()->flush_on(spdlog::level::debug);
}

void debug(std::string_view text) { logger()->debug("{}", text); }
void info(std::string_view text) { logger()->info("{}", text); }
void warning(std::string_view text) { logger()->warn("{}", text); }
void error(std::string_view text) { logger()->error("{}", text); }

}  // namespace sallyport::os::log
