#include "dataplane/names/dns_questions.h"

#include <gtest/gtest.h>

namespace sallyport::dataplane {
namespace {

constexpr Instant kNow = Instant::from_ns(1'000'000'000);

DnsQuestion question(std::uint16_t id) {
  return {IpAddress::v4(0xc0000202), IpAddress::v4(0xc0000235), 33000, id, 1, 42};
}

TEST(DnsQuestions, EachIsAnsweredOnceAndOnlyAsItWasAsked) {
  DnsQuestions questions;
  questions.asked(question(7), kNow);
  for (auto wrong : {&DnsQuestion::asker, &DnsQuestion::server}) {
    DnsQuestion other = question(7);
    other.*wrong = IpAddress::v4(0xcb007109);
    EXPECT_FALSE(questions.take(other, kNow));
  }
  for (auto wrong : {&DnsQuestion::asker_port, &DnsQuestion::id, &DnsQuestion::type}) {
    DnsQuestion other = question(7);
    ++(other.*wrong);
    EXPECT_FALSE(questions.take(other, kNow));
  }
  DnsQuestion other = question(7);
  ++other.name;
  EXPECT_FALSE(questions.take(other, kNow));
  EXPECT_TRUE(questions.take(question(7), kNow));
  EXPECT_FALSE(questions.take(question(7), kNow));
}

TEST(DnsQuestions, AskedAgainIsStillAnsweredOnce) {
  DnsQuestions questions;
  for (int i = 0; i < 3; ++i) questions.asked(question(7), kNow);
  EXPECT_TRUE(questions.take(question(7), kNow));
  EXPECT_FALSE(questions.take(question(7), kNow));
}

TEST(DnsQuestions, EndInTime) {
  DnsQuestions questions;
  questions.asked(question(7), kNow);
  EXPECT_FALSE(questions.take(question(7), kNow + DnsQuestions::kLife));
  EXPECT_FALSE(questions.take(DnsQuestion{}, kNow)) << "an empty place is no question";
}

TEST(DnsQuestions, AFloodPushesOutTheOldestAndNeverGrows) {
  DnsQuestions questions;
  Instant now = kNow;
  for (int i = 0; i < 100'000; ++i) {
    now = now + std::chrono::nanoseconds(1);
    questions.asked(question(static_cast<std::uint16_t>(i)), now);
  }
  int kept = 0;
  for (int i = 0; i < 65536; ++i)
    kept += questions.take(question(static_cast<std::uint16_t>(i)), now) ? 1 : 0;
  EXPECT_LE(kept, static_cast<int>(DnsQuestions::kBuckets * DnsQuestions::kWays));
  EXPECT_GT(kept, static_cast<int>(DnsQuestions::kBuckets * DnsQuestions::kWays / 2));
  questions.asked(question(1), now);
  EXPECT_TRUE(questions.take(question(1), now));
}

}  // namespace
}  // namespace sallyport::dataplane
