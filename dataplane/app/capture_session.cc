#include "dataplane/app/capture_session.h"

#include <fmt/core.h>

#include <algorithm>

#include "dataplane/app/trace_row.h"
#include "dataplane/telemetry/stages.h"

namespace sallyport::dataplane {

std::uint32_t CaptureSession::interface(const std::string& name) {
  const auto [place, fresh] = interfaces_.try_emplace(name, 0);
  if (fresh) place->second = writer_.add_interface(name);
  return place->second;
}

void CaptureSession::write(const Capture::Record& r, const QueryContext& context) {
  const bool out = r.made_here;
  const bool host = out ? r.exit.kind == Exit::Kind::kHostStack : r.origin == Origin::kHostStack;
  const std::string name = host ? "host:" + segment_name(out ? r.exit.segment : r.segment, context)
                                : port_name(out ? r.exit.port : r.port, context);
  std::string verdict = "undecided (waits for its next hop)";
  if (r.decided && !r.allowed) {
    verdict = fmt::format("drop {}; stages: {}", to_string(r.reason), stage_list(r.stages));
  } else if (r.decided) {
    const std::string to = r.exit.kind == Exit::Kind::kHostStack
                               ? "host:" + segment_name(r.exit.segment, context)
                               : port_name(r.exit.port, context);
    verdict = fmt::format("{} {} by {}; stages: {}", out ? "sent to" : "allow to", to,
                          rule_name(r.rule, context), stage_list(r.stages));
  }
  writer_.packet(interface(name), context.wall_ns - (context.now - r.when).count(),
                 ConstBytes(r.bytes).first(r.size), verdict);
}

CaptureSession::Part CaptureSession::take(const QueryContext& context) {
  last_read_ = context.now;
  Part part;
  std::vector<const Capture::Record*> records;
  for (const Capture& full : buffers_[turn_]) {
    const auto its = full.records();
    records.insert(records.end(), its.begin(), its.end());
    part.missed += full.missed();
  }
  std::ranges::stable_sort(records, {}, &Capture::Record::when);
  turn_ = 1 - turn_;
  for (const Capture::Record* record : records) {
    if (traces_) {
      part.rows.push_back(trace_row(*record, context));
    } else {
      write(*record, context);
    }
    ++part.packets;
  }
  if (!traces_) part.pcapng = writer_.take();
  return part;
}

}  // namespace sallyport::dataplane
