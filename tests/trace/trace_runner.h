// Plays one TraceCase in one IP version against a fresh PipelineWorld of so many workers. Failures
// are GoogleTest failures that name file and line, print both frames as scapy expressions and the
// stages that the packet visited.
#pragma once

#include <optional>

#include "tests/support/pipeline_world.h"
#include "tests/trace/trace_case.h"

namespace sallyport::testing {

class TraceRunner {
 public:
  TraceRunner(std::string file, const TraceCase& trace, IpVersion version, std::size_t workers);
  void run();

 private:
  struct Spec {
    Party from;
    Party to;
    std::string port;  // wire or stack that the frame is on
    std::vector<std::uint8_t> frame;
    bool from_stack = false;
  };
  using Words = std::vector<std::string>;

  void play(const TraceLine& line);
  void apply(const Words& words);
  void given(const Words& words);
  void in(const Words& words);
  void expect(const Words& words);
  void flood(const Words& words);
  void settle();
  // `words` from "A:PORT" on. `where` empty: a frame that comes in; else one that leaves there.
  std::optional<Spec> frame_of(const Words& words, std::string_view where);
  bool set_party(std::string_view text, Party& party);
  bool set_macs(Spec& spec, std::string_view where, const std::string& source,
                const std::string& destination);
  std::optional<std::vector<std::uint8_t>> build(const Spec& spec, const Words& words,
                                                 std::size_t at, std::string_view where);
  std::string here() const;

  std::string file_;
  const TraceCase& trace_;
  IpVersion version_;
  std::size_t workers_;
  unsigned line_ = 0;
  std::optional<PipelineWorld> world_;
  std::vector<std::uint8_t> came_;  // the last `in`
  std::vector<Frame> seen_;         // what left for the last `in`
  std::vector<Frame> wanted_;
  bool judged_ = true;  // nothing awaits comparison
};

}  // namespace sallyport::testing
