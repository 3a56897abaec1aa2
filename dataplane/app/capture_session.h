// One capture under way, as somebody watches it: for each worker two buffers that take turns. It
// fills one
// while the control thread writes the other out, as pcapng or, for a trace, as rows.
//
// Thread: the control thread; a worker writes into filling(), and only until it was given another
// observer. A capture that nobody reads any more is over after kPatience: whoever asked for it is
// gone.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/app/queries.h"
#include "dataplane/telemetry/capture.h"
#include "dataplane/telemetry/pcapng.h"

namespace sallyport::dataplane {

class CaptureSession {
 public:
  static constexpr Duration kPatience = std::chrono::seconds(10);

  // Everything, or the packets of one flow.
  CaptureSession(std::uint64_t id, Instant now, std::size_t workers,
                 std::optional<TracedFlow> traced = std::nullopt)
      : id_(id), last_read_(now), traces_(traced.has_value()) {
    for (auto& turn : buffers_)
      for (std::size_t i = 0; i < workers; ++i) turn.emplace_back(traced);
  }

  std::uint64_t id() const { return id_; }
  bool abandoned(Instant now) const { return now - last_read_ > kPatience; }

  // The buffer for a worker, empty at first; the other one.
  Capture& filling(std::size_t worker) { return buffers_[turn_][worker]; }
  Capture& waiting(std::size_t worker) { return buffers_[1 - turn_][worker]; }
  // After all workers have gone over to waiting(), or to none: writes out what they have left
  // behind, in the order in which it came.
  struct Part {
    std::vector<std::uint8_t> pcapng;               // continues the parts before; empty for a trace
    nlohmann::json rows = nlohmann::json::array();  // of a trace (app/trace_row.h)
    std::uint64_t packets = 0;
    std::uint64_t missed = 0;  // for which there was no room
  };
  Part take(const QueryContext& context);

 private:
  std::uint32_t interface(const std::string& name);
  void write(const Capture::Record& record, const QueryContext& context);

  std::uint64_t id_;
  Instant last_read_;
  bool traces_;
  std::array<std::deque<Capture>, 2> buffers_;
  std::size_t turn_ = 0;
  PcapngWriter writer_{ByteCount::from_bytes(Capture::kSlots * (Capture::kSnap + 512))};
  std::map<std::string, std::uint32_t> interfaces_;
};

}  // namespace sallyport::dataplane
