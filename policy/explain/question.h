// A question for explain() in words, both ways. As name=value words it travels in a Query's
// arguments: one reader for `sallyctl explain`, answered by the dataplane on the tables in force,
// and for `explain --candidate`, answered by control.
//
//   in=SEGMENT           required: on whose wires, or with host=yes from whose host stack it comes
//   host=yes             it comes from the gateway's own stack on that segment
//   port=NAME vlan=N     on which port exactly; without a port on the sender's enrolled one
//   mac=MAC              without it the owner of the source address sends
//   source=ADDRESS       required, and destination=ADDRESS of the same IP version
//   protocol=P           required: tcp, udp, icmp or icmpv6 (an echo request), or a number
//   destination_port=N   required for TCP and UDP; source_port=N is 40000 unless given
//   flags=LETTERS        of a TCP packet, of "FSRPAUEC"; S unless given
//   sequence=N, acknowledgement=N, size=N   of a TCP packet: its numbers, and its data's size in
//                        bytes; unless given the numbers that would come next, without data
//   name=NAME            a DNS name that the destination goes by; may be repeated
//
// Valid input: any words. Failures: Error{kUsage}, whose context says which word and what to write.
// Pure. Thread: none shared.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/result.h"
#include "policy/explain/explain.h"

namespace sallyport::explain {

Result<Question> parse_question(const wire::SnapshotView& snapshot,
                                std::span<const std::string> words);

// "tcp", "udp", "icmp", "icmpv6" or a number up to 255.
std::optional<std::uint8_t> parse_protocol(std::string_view text);
// The words that parse_question() makes this question of, for a question that names what is in the
// snapshot.
std::vector<std::string> words_of(const wire::SnapshotView& snapshot, const Question& question);
// The same as `sallyctl explain` takes it: "--in office 10.30.0.5:40000 10.20.0.7:80 tcp".
std::string command_line_of(const wire::SnapshotView& snapshot, const Question& question);
// "10.30.0.5:40000", "[fd00:30::5]:40000".
std::string endpoint_text(const IpAddress& address, std::uint16_t port);
// "tcp 10.30.0.5:40000 > 10.20.0.7:80", and for a sentence "... in office".
std::string packet_text(const decide::Tuple& tuple);
std::string sentence_of(const wire::SnapshotView& snapshot, const Question& question);

}  // namespace sallyport::explain
