// May this frame have left the gateway, in answer to that one? Judged beside the product: by a few
// lines that read a frame, by tests/support/policy/reference_policy.h over the model, and by what
// was allowed to open before. Used where a million frames come in and nobody can say by hand what
// may come out.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

#include "tests/support/pipeline_world.h"
#include "tests/support/policy/reference_policy.h"

namespace sallyport::testing {

// A frame as the judge reads it. Only for frames that the gateway let out, or took as good.
struct ReadFrame {
  MacAddress destination_mac;
  MacAddress source_mac;
  std::uint16_t vlan = 0;
  bool arp = false;
  IpAddress source;
  IpAddress destination;
  std::uint8_t protocol = 0;  // 0: none was found
  std::uint8_t icmp_type = 0;
  std::uint16_t source_port = 0;  // echo: both the identifier
  std::uint16_t destination_port = 0;
  std::uint8_t ttl = 0;
  ConstBytes ip;         // with its padding
  ConstBytes transport;  // likewise
};
std::optional<ReadFrame> read_frame(ConstBytes frame);

class ExitJudge {
 public:
  // `gateway` is in force in `world`; both outlive the judge.
  ExitJudge(const model::Gateway& gateway, const PipelineWorld& world);

  // `in` came by `sender`'s wire, and `out` left for it. Empty if it may; else why not.
  std::string judge(const Host& sender, ConstBytes in, const Frame& out);

 private:
  using Tuple = std::tuple<IpAddress, IpAddress, std::uint8_t, std::uint16_t, std::uint16_t>;
  std::string neighbour(const Host& sender, const ReadFrame& in, const ReadFrame& out,
                        const std::string& where) const;
  std::string for_router(const Host& sender, const ReadFrame& in, const std::string& where) const;
  std::string packet(const Host& sender, const ReadFrame& in, const ReadFrame& out,
                     const std::string& where);
  std::string report(const Host& sender, const ReadFrame& in, const ReadFrame& out,
                     const std::string& where) const;
  std::string opened_before(const Host& sender, const ReadFrame& in, const ReadFrame& out,
                            const std::string& where);
  std::string port_of(const IpAddress& address) const;

  const model::Gateway& gateway_;
  const PipelineWorld& world_;
  ReferencePolicy::VirtualAddresses no_virtual_;
  ReferencePolicy policy_;
  std::map<Tuple, std::string> opened_;  // as the client sent it -> the client's port
};

}  // namespace sallyport::testing
