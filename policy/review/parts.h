// What a conduit comes to, part by part: the devices, segments and ports behind its names, what is
// let through and how, who reviewed it and until when. This is what reviewers sign
// (docs/design/0008-review.md).
//
// Canonical: the same meaning gives the same bytes, whatever the order and notation in the file. A
// value is text if it is short and plain, else "sha256:" and a digest of it. Pure. Thread: none
// shared. Source: 2.4.7.2.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/result.h"
#include "policy/model/model.h"

namespace sallyport::review {

// CAs in the key store by name: SHA-256 of the file, 64 hexadecimal digits.
using Authorities = std::map<std::string, std::string, std::less<>>;

struct Part {
  std::string what;  // "mac of press4"
  std::string value;
  friend bool operator==(const Part&, const Part&) = default;
};
using Parts = std::vector<Part>;

inline constexpr std::size_t kMaxSignedText = 16'384;
inline constexpr std::size_t kMaxParts = 400;
inline constexpr std::size_t kMaxValue = 96;
// Value of a CA's hash that nobody can tell, or of a name that nothing has.
inline constexpr std::string_view kUnknown = "unknown";

// Resolves the conduits of one gateway. Borrows both.
class Resolver {
 public:
  Resolver(const model::Gateway& gateway, const Authorities& authorities);
  // Of a conduit with a review.
  Parts parts_of(const model::Conduit& conduit);

 private:
  class Work;
  const std::string& devices_of(const model::SegmentEnd& end);

  const model::Gateway& gateway_;
  const Authorities& authorities_;
  std::map<std::string_view, const model::Device*> devices_;
  std::map<std::string_view, const model::Segment*> segments_;
  std::map<std::string_view, const model::Port*> ports_;
  std::map<IpAddress, const model::Device*> owners_;
  std::map<std::string, std::string> devices_of_;  // by the end's own text
};

// "conduit = a; by = plant-security; ..."
std::string to_text(const Parts& parts);
// kInvalid "bad-signed-text". Bounds: kMaxSignedText, kMaxParts.
Result<Parts> parse_parts(std::string_view text);

// What has changed since, one sentence each; in the order of the parts.
std::vector<std::string> differences(const Parts& then, const Parts& now);

// What the reviewer's signature is over.
std::string statement(std::string_view reviewer, std::string_view signed_text);

// The value as it stands among others: itself, or its digest.
std::string fit(std::string_view value);

}  // namespace sallyport::review
