// The pipeline's stages, one line each, in the order in which a packet meets them: names for
// traces, captures and the picture in docs.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace sallyport::dataplane {

#define SALLYPORT_STAGES(X)                                             \
  X(kParse, "parse", "bytes into checked headers")                      \
  X(kBind, "bind", "who sent this, by port, VLAN, MAC and address")     \
  X(kNeighbours, "neighbours", "ARP and neighbour discovery")           \
  X(kFlow, "flow", "a flow that is already allowed; its state machine") \
  X(kClassify, "classify", "policy's word on the first packet")         \
  X(kAdmit, "admit", "a place among the handshakes in flight")          \
  X(kRewrite, "rewrite", "addresses and ports of a terminated flow")    \
  X(kForward, "forward", "TTL, next hop, port")                         \
  X(kHostStack, "host-stack", "into the segment's own stack")           \
  X(kDrop, "drop", "the end, with one named reason")

enum class Stage : std::uint8_t {
#define SALLYPORT_STAGE_ENUM(id, name, help) id,
  SALLYPORT_STAGES(SALLYPORT_STAGE_ENUM)
#undef SALLYPORT_STAGE_ENUM
};
inline constexpr auto kStageNames = std::to_array<std::string_view>({
#define SALLYPORT_STAGE_NAME(id, name, help) name,
    SALLYPORT_STAGES(SALLYPORT_STAGE_NAME)
#undef SALLYPORT_STAGE_NAME
});
inline constexpr auto kStageHelp = std::to_array<std::string_view>({
#define SALLYPORT_STAGE_HELP(id, name, help) help,
    SALLYPORT_STAGES(SALLYPORT_STAGE_HELP)
#undef SALLYPORT_STAGE_HELP
});
static_assert(kStageNames.size() <= 16);

constexpr std::uint16_t stage_bit(Stage stage) {
  return static_cast<std::uint16_t>(1U << static_cast<unsigned>(stage));
}
// "parse bind flow forward"
inline std::string stage_list(std::uint16_t stages) {
  std::string out;
  for (std::size_t i = 0; i < kStageNames.size(); ++i) {
    if ((stages >> i & 1U) == 0) continue;
    if (!out.empty()) out += ' ';
    out += kStageNames[i];
  }
  return out;
}

}  // namespace sallyport::dataplane
