// Sets of addresses for the prover, written apart from the compiler's on purpose: a fault in one
// must not be repeated by the other. Inclusive ranges of 128-bit numbers, IPv4 as IPv4-mapped.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "policy/base/net.h"
#include "policy/base/units.h"

namespace sallyport::prove {

using Number = Uint128;
using Range = std::pair<Number, Number>;
// Sorted, disjoint, never adjacent: equal sets are equal vectors.
using Ranges = std::vector<Range>;

Number number_of(const IpAddress& address);
IpAddress address_of(Number number);
Range range_of(const IpPrefix& prefix);
bool is_v4_number(Number number);

Ranges tidy(std::vector<Range> ranges);
Ranges single(const IpAddress& address);
Ranges sum(const Ranges& a, const Ranges& b);
Ranges of_version(const Ranges& all, IpVersion version);
Ranges common(const Ranges& a, const Ranges& b);
Ranges without(const Ranges& a, const Ranges& b);
bool holds(const Ranges& ranges, Number number);
// "10.0.0.0-10.0.0.255", or one address.
std::string text_of(const Range& range);

}  // namespace sallyport::prove
