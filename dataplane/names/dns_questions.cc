#include "dataplane/names/dns_questions.h"

#include <algorithm>

namespace sallyport::dataplane {

std::array<DnsQuestions::Entry, DnsQuestions::kWays>& DnsQuestions::bucket(
    const DnsQuestion& question) noexcept {
  const std::uint64_t mixed = (question.name ^ std::uint64_t{question.id} << 16 ^
                               question.asker_port ^ std::uint64_t{question.type} << 32) *
                              0x9e3779b97f4a7c15U;
  return buckets_[mixed >> 56 & (kBuckets - 1)];
}

void DnsQuestions::asked(const DnsQuestion& question, Instant now) noexcept {
  auto& ways = bucket(question);
  // Asked again: the same place, so that it is answered once.
  auto place = std::ranges::find(ways, question, &Entry::question);
  if (place == ways.end()) place = std::ranges::min_element(ways, {}, &Entry::expires);
  *place = {question, now + kLife};
}

bool DnsQuestions::take(const DnsQuestion& answered, Instant now) noexcept {
  auto& ways = bucket(answered);
  const auto place = std::ranges::find(ways, answered, &Entry::question);
  if (place == ways.end() || place->expires <= now) return false;
  *place = Entry{};
  return true;
}

}  // namespace sallyport::dataplane
