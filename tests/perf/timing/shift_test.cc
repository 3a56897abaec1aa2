// Who works when, of threads that work in shifts.
#include "tests/perf/timing/shift.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <thread>

namespace sallyport::bench {
namespace {

// Counts its pieces of work, and whether another one was at work beside it.
class Worker {
 public:
  explicit Worker(std::atomic<int>& at_work)
      : thread_([this, &at_work] {
          while (shift.await()) {
            if (at_work.fetch_add(1) != 0) beside = true;
            do pieces.fetch_add(1);
            while (!shift.over().load(std::memory_order_relaxed));
            at_work.fetch_sub(1);
          }
          ended = !shift.await();
        }) {}
  ~Worker() { join(); }
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  void join() {
    shift.close();
    if (thread_.joinable()) thread_.join();
  }

  Shift shift;
  std::atomic<std::uint64_t> pieces = 0;
  std::atomic<bool> beside = false, ended = false;

 private:
  std::thread thread_;
};

TEST(Shift, OfTwoInTurnsEachWorksInItsOwnShiftsAndNoneBesideTheOther) {
  std::atomic<int> at_work = 0;
  Worker one(at_work), other(at_work);
  for (int turn = 0; turn < 200; ++turn) {
    Worker& works = turn % 2 == 0 ? one : other;
    const Worker& rests = turn % 2 == 0 ? other : one;
    const std::uint64_t before = works.pieces, of_resting = rests.pieces;
    works.shift.begin();
    while (works.pieces < before + 3) std::this_thread::yield();
    works.shift.end();
    ASSERT_EQ(at_work, 0) << "it has put everything down";
    ASSERT_EQ(rests.pieces, of_resting);
  }
  EXPECT_FALSE(one.beside || other.beside);
}

TEST(Shift, BeginsWhenTheThreadComesAlsoIfItComesLate) {
  Shift shift;
  std::atomic<bool> begins = false, begun = false;
  std::thread other([&] {
    begins = true;
    shift.begin();
    begun = true;
    shift.end();
    shift.close();
  });
  while (!begins) std::this_thread::yield();
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_FALSE(begun);
  while (shift.over().load() ? shift.await() : true) {
  }
  other.join();
  EXPECT_TRUE(begun);
}

TEST(Shift, WhoseShiftsAreClosedWaitsNoMore) {
  std::atomic<int> at_work = 0;
  Worker never(at_work), once(at_work);
  once.shift.begin();
  once.shift.end();
  once.join();
  never.join();
  EXPECT_TRUE(once.ended);
  EXPECT_TRUE(never.ended);
  EXPECT_GT(once.pieces, 0U);
  EXPECT_EQ(never.pieces, 0U);
}

}  // namespace
}  // namespace sallyport::bench
