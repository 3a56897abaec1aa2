#include "tls-termination/session/places.h"

#include <numeric>

#include "policy/base/check.h"

namespace sallyport::terminator {

void Places::divide(std::size_t conduits, std::span<const std::size_t> held) {
  share_ = conduits == 0 ? 0 : total_ / 2 / conduits;
  common_ = total_ - share_ * conduits;
  used_ = std::accumulate(held.begin(), held.end(), std::size_t{0});
  common_used_ = 0;
  for (const std::size_t has : held) common_used_ += has > share_ ? has - share_ : 0;
}

bool Places::may_take(std::size_t held) const {
  return used_ < total_ && (held < share_ || common_used_ < common_);
}

void Places::take(std::size_t held) {
  ++used_;
  if (held >= share_) ++common_used_;
}

void Places::give(std::size_t held) {
  SALLYPORT_CHECK(held > 0 && used_ > 0);
  --used_;
  if (held > share_) --common_used_;
}

}  // namespace sallyport::terminator
