// sallyctl's commands: each fills a CLI11 subcommand and leaves a function that runs it.
//
// One thread. Failures: exit codes of client.h, messages on standard error.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "control/cli/client.h"
#include "control/cli/render.h"

namespace sallyport::control {

struct Context {
  std::string run_dir = "/run/sallyport";
  bool json = false;
  Style style;                   // of standard output
  Style error_style;             // of standard error
  std::function<int()> command;  // chosen by the parser

  Client client() const { return Client(run_dir); }
  // Prints the error with its exit code.
  int refuse(const Error& error) const;
  // Prints a result as JSON or through the renderer.
  int print(const OrderedJson& result) const;
};

void add_reads(CLI::App& app, Context& context);    // status, show, crypto, version
void add_config(CLI::App& app, Context& context);   // config ...
void add_explain(CLI::App& app, Context& context);  // explain
void add_prove(CLI::App& app, Context& context);    // prove
void add_policy(CLI::App& app, Context& context);   // policy ...
void add_review(CLI::App& app, Context& context);   // review ...
void add_capture(CLI::App& app, Context& context);  // capture
void add_trace(CLI::App& app, Context& context);    // trace
void add_top(CLI::App& app, Context& context);      // top

// A whole file, at most `limit` bytes.
Result<std::string> read_file(const std::string& path, std::size_t limit);

// "10.20.0.5:80", "[fd00::5]:80", "fd00::5", "press4" is not one. For explain.
struct Endpoint {
  std::string address;
  std::string port;  // empty if none was given
};
std::optional<Endpoint> parse_endpoint(std::string_view text);

// The first `count` packets of a pcapng file, and everything that is no packet.
std::string keep_packets(std::string_view pcapng, std::uint64_t count);

// Every command with its options; `context` must outlive `app`.
void build_command_line(CLI::App& app, Context& context);
// The whole command line; what main() returns.
int sallyctl(int argc, const char* const* argv);
// Every command's help text, for docs/reference/sallyctl.md; the same as sallyctl.1; and as the
// tables of its completion in bash.
std::string all_help();
std::string manual();
std::string completion();

}  // namespace sallyport::control
