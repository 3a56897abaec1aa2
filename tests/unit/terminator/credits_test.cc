// The terminator's end of the handover ring, and the credits that hang on it.
#include "tls-termination/session/credits.h"

#include <gtest/gtest.h>

#include <vector>

#include "policy/base/check.h"

namespace sallyport::terminator {
namespace {

using namespace std::chrono_literals;
using wire::HandoverKind;
using wire::HandoverOutcome;
using wire::HandoverRecord;

// The dataplane's end of a ring that both map.
struct Ring {
  Ring() : memfd(*os::make_shared("ring", sizeof(wire::HandoverMemory))), ours(map()) {}
  os::Mapping map() const {
    auto out = os::map_shared(memfd.get(), sizeof(wire::HandoverMemory));
    SALLYPORT_CHECK(out.has_value());
    return *std::move(out);
  }
  wire::HandoverMemory& memory() const { return *static_cast<wire::HandoverMemory*>(ours.data()); }
  os::UniqueFd memfd;
  os::Mapping ours;
  wire::HandoverProducer grants{memory().to_terminator};
  wire::HandoverConsumer returns{memory().to_dataplane};
};

HandoverRecord grant_for(std::uint64_t connection, std::uint32_t generation = 1) {
  return {.kind = HandoverKind::kCreditGranted,
          .conduit = 5,
          .generation = generation,
          .id = connection};
}

constexpr Instant kNow = Instant::from_ns(1'000'000'000);

TEST(HandoverEnd, GivesBackWhatItClaimedWithItsGenerationAndOutcome) {
  Ring ring;
  HandoverEnd end;
  EXPECT_FALSE(end.attached());
  end.attach(ring.map());
  ASSERT_TRUE(ring.grants.push(grant_for(7, 77)));
  end.poll(kNow);
  EXPECT_FALSE(end.claim(8));
  const auto grant = end.claim(7);
  ASSERT_TRUE(grant);
  EXPECT_FALSE(end.claim(7)) << "one grant, two connections";
  end.give_back(*grant, HandoverOutcome::kTimedOut);
  HandoverRecord back;
  ASSERT_TRUE(ring.returns.pop(back));
  EXPECT_EQ(HandoverKind::kCreditReturned, back.kind);
  EXPECT_EQ(static_cast<std::uint8_t>(HandoverOutcome::kTimedOut), back.detail);
  EXPECT_EQ(77U, back.generation);
  EXPECT_EQ(7U, back.id);
  EXPECT_EQ(5U, back.conduit);
  EXPECT_FALSE(ring.returns.pop(back));
}

TEST(HandoverEnd, GivesBackWhatNobodyCameForOnce) {
  Ring ring;
  HandoverEnd end;
  end.attach(ring.map());
  ASSERT_TRUE(ring.grants.push(grant_for(7)));
  end.poll(kNow);
  HandoverRecord back;
  end.expire(kNow + 9s, 10s);
  EXPECT_FALSE(ring.returns.pop(back));
  end.expire(kNow + 10s, 10s);
  ASSERT_TRUE(ring.returns.pop(back));
  EXPECT_EQ(static_cast<std::uint8_t>(HandoverOutcome::kNoShow), back.detail);
  EXPECT_FALSE(end.claim(7));
  end.expire(kNow + 20s, 10s);
  EXPECT_FALSE(ring.returns.pop(back));
}

TEST(HandoverEnd, ReturnsNothingToARingThatDidNotGrantIt) {
  Ring old_ring;
  Ring new_ring;
  HandoverEnd end;
  end.attach(old_ring.map());
  ASSERT_TRUE(old_ring.grants.push(grant_for(7)));
  ASSERT_TRUE(old_ring.grants.push(grant_for(8)));
  end.poll(kNow);
  const auto grant = end.claim(7);
  ASSERT_TRUE(grant);
  end.attach(new_ring.map());
  end.give_back(*grant, HandoverOutcome::kEstablished);
  EXPECT_FALSE(end.claim(8));
  HandoverRecord back;
  EXPECT_FALSE(new_ring.returns.pop(back))
      << "the same generation may be another connection's there";
  EXPECT_FALSE(old_ring.returns.pop(back));
}

TEST(HandoverEnd, KeepsNoMoreThanARingfulWhateverIsPushed) {
  Ring ring;
  HandoverEnd end;
  end.attach(ring.map());
  std::uint64_t pushed = 0;
  for (int round = 0; round < 4; ++round) {
    while (ring.grants.push(grant_for(pushed))) ++pushed;
    ASSERT_TRUE(pushed % wire::kHandoverSlots == 0);
    end.poll(kNow);
  }
  EXPECT_EQ(wire::kHandoverSlots, end.granted());
  // And takes records that are no grants for nothing.
  ASSERT_TRUE(ring.grants.push({.kind = HandoverKind::kCreditReturned, .id = 1}));
  end.poll(kNow);
  EXPECT_EQ(wire::kHandoverSlots, end.granted());
}

class Books : public CreditBooks {
 public:
  void settled(const Ticket& ticket, HandoverOutcome outcome) noexcept override {
    counts.settle(outcome);
    said += outcome == HandoverOutcome::kEstablished ? "e" : "f";
    engine = ticket.engine;
  }
  void left(const Ticket&) noexcept override { said += "l"; }
  AdmissionCounts counts;
  std::string said;
  std::uint32_t engine = 0;
};

TEST(Credit, IsSettledOnceAndLeavesOnceOnEveryWay) {
  Books books;
  {
    books.counts.admit();
    const Credit unsettled(books, {.account = nullptr, .engine = 3, .grant = {}});
  }
  EXPECT_EQ("fl", std::exchange(books.said, ""));
  EXPECT_EQ(3U, books.engine);
  {
    books.counts.admit();
    Credit credit(books, {});
    credit.settle(HandoverOutcome::kEstablished);
    credit.settle(HandoverOutcome::kFailed);
    EXPECT_EQ("e", books.said);
  }
  EXPECT_EQ("el", std::exchange(books.said, ""));
  {
    books.counts.admit();
    Credit moved(books, {});
    Credit credit(std::move(moved));
    credit.settle(HandoverOutcome::kTimedOut);
  }
  EXPECT_EQ("fl", books.said);
  EXPECT_TRUE(books.counts.add_up());
  EXPECT_EQ(0U, books.counts.in_flight);
  EXPECT_EQ(3U, books.counts.admitted);
}

}  // namespace
}  // namespace sallyport::terminator
