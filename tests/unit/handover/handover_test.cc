// The rings between dataplane and terminator: order and completeness across two real threads (tsan
// watches), and what a hostile peer can make of the shared indices.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "policy/wire/handover.h"

namespace sallyport::wire {
namespace {

HandoverRecord numbered(std::uint64_t id) {
  return {.kind = HandoverKind::kCreditGranted,
          .conduit = static_cast<std::uint32_t>(id % 7),
          .id = id,
          .value = ~id};
}

TEST(Handover, EveryRecordArrivesOnceInOrderAndWhole) {
  constexpr std::uint64_t kRecords = 200'000;  // about fifty times round the ring
  const auto ring = std::make_unique<HandoverRing>();
  HandoverConsumer consumer(*ring);
  std::jthread producing([&ring] {
    HandoverProducer producer(*ring);
    for (std::uint64_t id = 0; id < kRecords;) {
      if (producer.push(numbered(id))) {
        ++id;
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::uint64_t expected = 0;
  while (expected < kRecords) {
    HandoverRecord record;
    if (!consumer.pop(record)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(record.id, expected);
    ASSERT_EQ(record.value, ~expected);
    ASSERT_EQ(record.conduit, expected % 7);
    ++expected;
  }
  HandoverRecord none;
  EXPECT_FALSE(consumer.pop(none));
}

TEST(Handover, FullRingRefusesAndLosesNothing) {
  const auto ring = std::make_unique<HandoverRing>();
  HandoverConsumer consumer(*ring);
  HandoverProducer producer(*ring);
  std::uint64_t pushed = 0;
  while (producer.push(numbered(pushed))) ++pushed;
  EXPECT_EQ(pushed, kHandoverSlots);
  HandoverRecord record;
  for (std::uint64_t id = 0; id < pushed; ++id) {
    ASSERT_TRUE(consumer.pop(record));
    ASSERT_EQ(record.id, id);
  }
  EXPECT_FALSE(consumer.pop(record));
  EXPECT_TRUE(producer.push(numbered(pushed)));
}

TEST(Handover, ConsumerSurvivesEveryHeadAHostileProducerWrites) {
  const auto ring = std::make_unique<HandoverRing>();
  HandoverConsumer consumer(*ring);
  for (const std::uint32_t head :
       {0x7fffffffU, 0x80000000U, 0xffffffffU, static_cast<std::uint32_t>(kHandoverSlots + 1)}) {
    ring->head.value.store(head);
    HandoverRecord record;
    std::size_t taken = 0;
    while (taken <= kHandoverSlots && consumer.pop(record)) ++taken;
    EXPECT_LE(taken, kHandoverSlots)
        << "head " << head << " made the consumer read more than the ring holds";
  }
}

TEST(Handover, ProducerBelievesNoTailAheadOfItsOwnHead) {
  const auto ring = std::make_unique<HandoverRing>();
  HandoverProducer producer(*ring);
  ring->tail.value.store(5);  // claims to have read what was never written
  EXPECT_FALSE(producer.push(numbered(1)));
}

}  // namespace
}  // namespace sallyport::wire
