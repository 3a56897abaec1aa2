// config check, config diff.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <iostream>

#include "control/cli/config.h"
#include "control/cli/diff.h"
#include "control/cli/traffic.h"
#include "control/config/load.h"
#include "control/config/tree.h"
#include "policy/os/clock.h"
#include "policy/os/fd.h"
#include "policy/prove/prove.h"

namespace sallyport::control {

Result<std::string> read_config(const std::string& path) {
  const os::UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  // Only to ask: it is given back at once. Whoever opens the file in between sends a SIGIO.
  const auto before = ::signal(SIGIO, SIG_IGN);
  // fcntl(2): EAGAIN when the file is open for writing. A file system without leases, or a file of
  // somebody else's, cannot be asked.
  const bool written = file && ::fcntl(file.get(), F_SETLEASE, F_RDLCK) != 0 && errno == EAGAIN;
  if (file) ::fcntl(file.get(), F_SETLEASE, F_UNLCK);
  ::signal(SIGIO, before);
  if (written)
    return fail(ErrorKind::kSystem, "being-written",
                path +
                    " is being written by another process; nothing was changed\n"
                    "  next: the same again when it is complete");
  return read_file(path, kMaxConfigSize + 1);
}

std::expected<Checked, model::Diagnostics> check_text(std::string_view text,
                                                      const review::Authorities& authorities) {
  auto gateway = load_config(text);
  if (!gateway) return std::unexpected(gateway.error());
  review::Settled settled = review::settle(*gateway, authorities);
  if (!settled.errors.empty()) return std::unexpected(std::move(settled.errors));
  compile::CompileInput input;
  input.revision = 1;
  constexpr std::int64_t kNsPerDay = std::int64_t{86'400} * 1'000'000'000;
  input.today = static_cast<std::int32_t>(os::wall_ns() / kNsPerDay);
  auto compiled = compile::compile(*gateway, input);
  if (!compiled) return std::unexpected(compiled.error());
  const auto view = wire::SnapshotView::verify(compiled->snapshot);
  if (!view)
    return std::unexpected(model::Diagnostics{{{}, view.error().code, view.error().context, {}}});
  const auto proof = prove::prove(*view, *gateway, input.today);
  if (!proof.holds()) return std::unexpected(prove::refusal(proof));
  std::ranges::copy(settled.warnings, std::back_inserter(compiled->warnings));
  return Checked{*std::move(gateway), *std::move(compiled)};
}

int print_problems(const Context& context, const std::string& file,
                   const model::Diagnostics& problems, bool mistakes) {
  if (context.json) {
    OrderedJson out = OrderedJson::array();
    for (const model::Diagnostic& one : problems)
      out.push_back({{"file", file},
                     {"line", one.at.line},
                     {"column", one.at.column},
                     {"code", one.code},
                     {"message", one.message},
                     {"write", one.hint}});
    std::cout << OrderedJson{{"ok", !mistakes}, {mistakes ? "mistakes" : "warnings", out}}.dump(2)
              << "\n";
    return mistakes ? kExitMistakes : kExitDone;
  }
  for (const model::Diagnostic& one : problems)
    std::cerr << (mistakes ? "" : "warning: ") << format_problem(file, one) << "\n";
  return mistakes ? kExitMistakes : kExitDone;
}

int config_check(const Context& context, const ConfigWords& words) {
  const auto text = read_config(words.file);
  if (!text) return context.refuse(text.error());
  const auto checked = check_text(*text, gateway_authorities(context));
  if (!checked) {
    const int code = print_problems(context, words.file, checked.error(), true);
    return checked.error().front().code.starts_with(prove::kNotProven) ? kExitRefused : code;
  }
  const model::Diagnostics& warnings = checked->compiled.warnings;
  if (context.json || !warnings.empty())
    return print_problems(context, words.file, warnings, false);
  const model::Gateway& gateway = checked->gateway;
  std::cout << good(fmt::format("{}: no mistakes", words.file), context.style) << ": "
            << gateway.segments.size() << " segments, " << gateway.devices.size() << " devices, "
            << gateway.conduits.size() << " conduits\n";
  return kExitDone;
}

int config_diff(const Context& context, const ConfigWords& words) {
  const auto text = read_config(words.file);
  if (!text) return context.refuse(text.error());
  OrderedJson request = {{"op", "revision"}};
  if (words.number != 0) request["number"] = words.number;
  const auto reply = context.client().ask(request);
  std::string before;
  std::string name = "nothing in force";
  if (reply) {
    before = reply->result.value("text", "");
    name = fmt::format("revision {}", reply->result.value("number", 0));
  } else if (reply.error().code != "no-such-revision" || words.number != 0) {
    return context.refuse(reply.error());
  }
  const std::string out = unified_diff(before, *text, name, words.file);
  if (out.empty()) {
    if (context.json)
      std::cout << OrderedJson{{"same", true}, {"diff", ""}}.dump(2) << "\n";
    else
      std::cout << words.file << " is what is in force\n";
    return kExitDone;
  }
  request["op"] = "traffic";
  // Against nothing in force everything is new.
  std::optional<Result<Reply>> traffic;
  if (reply) traffic = context.client().ask(request, *text);
  if (context.json) {
    OrderedJson result = {{"same", false}, {"diff", out}};
    if (traffic && *traffic) result["traffic"] = (*traffic)->result;
    std::cout << result.dump(2) << "\n";
    return kExitDiffers;
  }
  std::cout << out;
  if (traffic && *traffic) {
    const std::string changed = traffic_text((*traffic)->result, context.style);
    std::cout << (changed.empty() ? "\nno packet would fare otherwise\n" : changed);
  } else if (traffic) {
    std::cerr << "in traffic: " << traffic->error().context << "\n";
  }
  return kExitDiffers;
}

}  // namespace sallyport::control
