// `traffic`: what a candidate would change for those who talk: newly allowed, newly denied, and
// flows of the last seven days that it would cut.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "control/app/arguments.h"
#include "control/app/commands.h"
#include "control/app/derived.h"
#include "control/app/flow_watch.h"
#include "control/app/parts.h"
#include "control/config/load.h"
#include "policy/decide/names.h"
#include "policy/prove/difference.h"

namespace sallyport::control {
namespace {

using nlohmann::json;

// More are counted, not listed.
constexpr std::size_t kMaxCut = 1'000;

// One snapshot, asked about flows that were seen.
class Side {
 public:
  Side(const wire::SnapshotView& view, const model::Gateway& named)
      : view_(view), classifier_(view), names_(view) {
    for (std::uint32_t slot = 0; slot < view.devices().size(); ++slot)
      devices_.emplace(view.device_name(slot), slot);
    for (const model::Conduit& conduit : named.conduits)
      if (const auto* end = std::get_if<model::NameEnd>(&conduit.to))
        asked_.emplace(conduit.name, end->name);
  }

  bool permits(const FlowKey& key, const FlowSeen& seen) const {
    const wire::Segment* segment = view_.segment(key.segment);
    const auto source = IpAddress::parse(seen.source);
    const auto destination = IpAddress::parse(key.destination);
    if (segment == nullptr || !source || !destination) return false;
    decide::Ingress ingress{.segment = segment->slot(), .origin = {}, .device = wire::kNoDevice};
    if (classifier_.locate(*source).is_gateway()) ingress.origin = decide::Origin::kHostStack;
    if (!key.device.empty()) {
      const auto device = devices_.find(key.device);
      if (device == devices_.end() || !classifier_.owns(device->second, *source)) return false;
      ingress.device = device->second;
    }
    // An address that was learned under a name is permitted as that name.
    std::vector<std::uint32_t> classes;
    if (const auto name = asked_.find(seen.rule); name != asked_.end())
      if (const auto found = names_.destination_class(name->second)) classes.push_back(*found);
    const decide::Tuple tuple{*source, *destination, key.protocol, kAnySource, key.port};
    return classifier_.classify(ingress, tuple, classes).decision.allowed();
  }

 private:
  static constexpr std::uint16_t kAnySource = 40'000;  // no rule asks for it
  const wire::SnapshotView& view_;
  const decide::Classifier classifier_;
  const decide::Names names_;
  std::map<std::string_view, std::uint32_t> devices_;
  std::map<std::string, std::string, std::less<>> asked_;  // conduit -> DNS name it is about
};

json cut_flows(const Target& before, const Target& after, const FlowLog& log, std::int64_t now_s,
               std::size_t& more) {
  json out = json::array();
  const auto named = load_config(before.text);
  if (!named) return out;
  const Side old(before.view(), *named);
  const Side fresh(after.view(), *named);
  for (const auto& [key, seen] : log.rows()) {
    if (seen.last_s < now_s - FlowLog::kMaxAge || !old.permits(key, seen) ||
        fresh.permits(key, seen))
      continue;
    if (out.size() == kMaxCut) {
      ++more;
      continue;
    }
    out.push_back({{"segment", key.segment},
                   {"device", key.device},
                   {"source", seen.source},
                   {"destination", key.destination},
                   {"protocol", to_string(static_cast<IpProtocol>(key.protocol))},
                   {"port", key.port},
                   {"conduit", seen.rule},
                   {"last", seen.last_s}});
  }
  return out;
}

struct Asked {
  std::string text;
  TargetInput input;
  TargetPtr before;
  std::string before_text;  // of another revision than the one in force
  FlowLog log;
  std::int64_t now_s = 0;
};

Result<std::string> traffic(Asked asked) {
  const auto made = [&](std::string text) -> Result<TargetPtr> {
    auto target = make_candidate(std::move(text), asked.input);
    if (target) return *std::move(target);
    const model::Diagnostic& first = target.error().front();
    return fail(
        ErrorKind::kInvalid, "config-invalid",
        fmt::format("it has mistakes, the first in line {}: {}; see `sallyctl config check`",
                    first.at.line, first.message));
  };
  TargetPtr before = asked.before;
  if (!asked.before_text.empty()) {
    SALLYPORT_TRY(before, made(std::move(asked.before_text)));
  }
  SALLYPORT_TRY(const TargetPtr after, made(std::move(asked.text)));
  std::size_t more = 0;
  json out = json::parse(prove::to_json(prove::changes(before->view(), after->view())));
  out["cut"] = cut_flows(*before, *after, asked.log, asked.now_s, more);
  out["cut_more"] = more;
  return row_text(out);
}

void compare(Parts& parts, const FlowWatch& flows, Request request, const Responder& responder) {
  const TargetPtr in_force = parts.reconciler.in_force();
  if (!request.text)
    return responder.refuse("bad-request", "the configuration's text is not attached");
  if (!in_force)
    return responder.refuse("no-such-revision", "no revision is in force: everything is denied");
  const std::uint64_t number = number_of(request.body, "number", in_force->revision);
  const Revision* revision = parts.history.find(number);
  if (revision == nullptr)
    return responder.refuse("no-such-revision", fmt::format("there is no revision {}", number));
  Asked asked{.text = *std::move(request.text),
              .input = parts.compile_input(parts.history.next_number()),
              .before = in_force,
              .before_text = number == in_force->revision ? std::string() : revision->text,
              .log = flows.log(),
              .now_s = parts.now_s()};
  parts.beside.start([asked = std::move(asked)]() mutable { return traffic(std::move(asked)); },
                     [responder](const Result<std::string>& text) {
                       if (!text) return responder.refuse(text.error().code, text.error().context);
                       responder.result_text(*text);
                     });
}

}  // namespace

void add_traffic_commands(Commands& commands, Parts& parts, const FlowWatch& flows) {
  commands.add("traffic", Access::kRead, [&](Request request, const Responder& responder) {
    compare(parts, flows, std::move(request), responder);
  });
}

}  // namespace sallyport::control
