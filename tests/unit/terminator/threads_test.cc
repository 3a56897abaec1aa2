// Several engines under one front: nothing is done by halves, nothing is lost between threads. Runs
// under tsan too.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <latch>
#include <map>
#include <thread>

#include "policy/os/clock.h"
#include "tests/unit/terminator/plant.h"
#include "tls-termination/relay/mailbox.h"

namespace sallyport::terminator::testing {
namespace {

using namespace std::chrono_literals;

TEST(Mailbox, WorkOfManyThreadsRunsOnceEachInTheOrderOfItsSender) {
  auto loop = Loop::create(&os::steady_now);
  ASSERT_TRUE(loop);
  auto mailbox = Mailbox::create(*loop);
  ASSERT_TRUE(mailbox);
  constexpr int kSenders = 4;
  constexpr int kEach = 5000;
  const std::thread::id here = std::this_thread::get_id();
  std::array<int, kSenders> next{};
  bool in_order = true;
  std::vector<std::jthread> senders;
  for (std::size_t sender = 0; sender < kSenders; ++sender)
    senders.emplace_back([&, sender] {
      for (int i = 0; i < kEach; ++i)
        (*mailbox)->post([&, sender, i] {
          in_order &= std::this_thread::get_id() == here && next[sender]++ == i;
        });
    });
  const Instant deadline = os::steady_now() + 30s;
  while (std::ranges::any_of(next, [](int n) { return n < kEach; }) && os::steady_now() < deadline)
    loop->run_once(100ms);
  EXPECT_TRUE(in_order);
  for (const int n : next) EXPECT_EQ(kEach, n);
}

TEST(Mailbox, WorkThatIsPostedByWorkRunsInALaterRound) {
  auto loop = Loop::create(&os::steady_now);
  auto mailbox = Mailbox::create(*loop);
  ASSERT_TRUE(loop && mailbox);
  int runs = 0;
  (*mailbox)->post([&] {
    ++runs;
    (*mailbox)->post([&] { ++runs; });
  });
  loop->run_once(1s);
  EXPECT_EQ(1, runs);
  loop->run_once(1s);
  EXPECT_EQ(2, runs);
}

// An engine that does nothing until it is let go.
class Held {
 public:
  Held(Rig& rig, std::size_t number) {
    rig.terminator->engine(number).post([this](Engine&) {
      held_.count_down();
      let_go_.wait();
    });
    held_.wait();
  }
  ~Held() {
    if (!gone_) let_go_.count_down();
  }
  Held(const Held&) = delete;
  Held& operator=(const Held&) = delete;
  void let_go() {
    gone_ = true;
    let_go_.count_down();
  }

 private:
  std::latch held_{1};
  std::latch let_go_{1};
  bool gone_ = false;
};

// Established sessions of "inspected" (plain, so that many are cheap).
struct Sessions {
  Sessions(Rig& rig, std::size_t count) : press(listen_on("10.20.0.5", 502)) {
    for (std::size_t i = 0; i < count; ++i) {
      clients.push_back(dial(rig, "inspected"));
      auto device = taken(rig, press);
      EXPECT_TRUE(device);
      if (device) devices.push_back(*std::move(device));
      EXPECT_TRUE(rig.established("inspected", i + 1));
    }
  }
  os::UniqueFd press;
  std::vector<Peer> clients;
  std::vector<Peer> devices;
};

std::vector<std::size_t> loads(Rig& rig) {
  std::vector<std::size_t> out;
  const auto status = rig.status();
  for (const auto& engine : status["engines"]) out.push_back(engine["sessions"]);
  return out;
}

TEST(Engines, SessionsGoToTheOneThatHasTheFewest) {
  Rig rig({.engines = 3});
  rig.apply(plant());
  Sessions sessions(rig, 9);
  EXPECT_EQ((std::vector<std::size_t>{3, 3, 3}), loads(rig));
  // Four leave, wherever they were; the next four fill the gaps.
  for (int i = 0; i < 4; ++i) {
    sessions.clients[static_cast<std::size_t>(i)].leg().reset();
    sessions.devices[static_cast<std::size_t>(i)].leg().reset();
  }
  ASSERT_TRUE(rig.until([&] { return rig.terminator->conversations() == 5; }));
  std::vector<Peer> more;
  for (std::size_t i = 0; i < 4; ++i) {
    more.push_back(dial(rig, "inspected"));
    ASSERT_TRUE(rig.established("inspected", 10 + i));
  }
  EXPECT_EQ((std::vector<std::size_t>{3, 3, 3}), loads(rig));
}

TEST(Engines, EachRunsOnAThreadOfItsOwn) {
  Rig rig({.engines = 3});
  std::mutex lock;
  std::map<std::size_t, std::thread::id> threads;
  std::latch all(3);
  for (std::size_t i = 0; i < 3; ++i)
    rig.terminator->engine(i).post([&, i](Engine&) {
      {
        const std::scoped_lock held(lock);
        threads[i] = std::this_thread::get_id();
      }
      // All three are here at the same time, or nobody ever passes.
      all.arrive_and_wait();
    });
  all.wait();
  const std::scoped_lock held(lock);
  EXPECT_NE(threads[0], threads[1]);
  EXPECT_NE(threads[1], threads[2]);
  EXPECT_NE(threads[0], threads[2]);
  for (const auto& [number, thread] : threads) EXPECT_NE(std::this_thread::get_id(), thread);
}

TEST(Engines, OneThatIsStuckStopsNeitherTheOthersNorTheFrontAndIsNoticed) {
  Rig rig({.engines = 2});
  rig.apply(plant());
  Sessions sessions(rig, 2);
  const Held held(rig, 0);
  const Instant since = os::steady_now();
  using namespace std::string_view_literals;
  const auto read = "\x00\x08\x00\x00\x00\x06\x09\x03\x00\x01\x00\x01"sv;
  std::size_t answered = 0;
  for (Peer& client : sessions.clients) ASSERT_TRUE(client.write(read));
  ASSERT_TRUE(rig.until([&] {
    for (Peer& device : sessions.devices) answered += device.take(read.size()) == read ? 1 : 0;
    return answered == 1 && os::steady_now() - since > 600ms;
  }));
  EXPECT_EQ(1U, answered);
  // Later than a free engine's longest sleep, it has not gone round since.
  const Instant judged = since + EngineThread::kLongestRound;
  EXPECT_FALSE(rig.terminator->engine(0).goes_round(judged));
  EXPECT_TRUE(rig.terminator->engine(1).goes_round(judged));
}

TEST(Engines, CommitIsDoneWhenTheLastOneHasLetGo) {
  Rig rig({.engines = 3});
  rig.apply(plant());
  Sessions sessions(rig, 6);
  model::Gateway next = plant();
  remove(next, "inspected");
  ASSERT_TRUE(rig.prepare(next));
  Held held(rig, 2);
  std::optional<Result<void>> done;
  rig.terminator->commit(2, [&done](const Result<void>& outcome) { done = outcome; });
  const Instant since = os::steady_now();
  EXPECT_FALSE(rig.until([&] { return done.has_value(); }, 200ms)) << "one had not let go";
  EXPECT_GT(os::steady_now() - since, 200ms);
  held.let_go();
  ASSERT_TRUE(rig.until([&] { return done.has_value(); }));
  EXPECT_TRUE(*done);
  EXPECT_EQ(0, rig.sessions()["total"]);
  for (Peer& client : sessions.clients) EXPECT_TRUE(client.sees_cut());
  for (Peer& device : sessions.devices) EXPECT_TRUE(device.sees_cut());
}

TEST(Engines, AbortIsDoneWhenTheLastOneHasLetGo) {
  Rig rig({.engines = 3});
  model::Gateway first = plant();
  remove(first, "inspected");
  rig.apply(first);
  ASSERT_TRUE(rig.prepare(plant()));
  Sessions early(rig, 6);
  Held held(rig, 1);
  std::optional<Result<void>> done;
  rig.terminator->abort(2, [&done](const Result<void>& outcome) { done = outcome; });
  EXPECT_FALSE(rig.until([&] { return done.has_value(); }, 200ms)) << "one had not let go";
  held.let_go();
  ASSERT_TRUE(rig.until([&] { return done.has_value(); }));
  EXPECT_EQ(0, rig.sessions()["total"]);
  for (Peer& client : early.clients) EXPECT_TRUE(client.sees_cut());
  EXPECT_EQ(1U, rig.terminator->revision());
}

// What is on its way to an engine when the revision changes is cut as well.
TEST(Engines, ConnectionOnItsWayToAnEngineIsOfTheRevisionThatLetItIn) {
  Rig rig({.engines = 1});
  rig.apply(plant());
  const os::UniqueFd press = listen_on("10.20.0.5", 502);
  const ListenAddress where = rig.listener("inspected");
  model::Gateway next = plant();
  remove(next, "inspected");
  ASSERT_TRUE(rig.prepare(next));
  Held held(rig, 0);
  Peer client(rig, connect_to(where.address, where.port));
  ASSERT_TRUE(rig.until([&] { return rig.counts("inspected").admitted == 1; }));
  std::optional<Result<void>> done;
  rig.terminator->commit(2, [&done](const Result<void>& outcome) { done = outcome; });
  held.let_go();
  ASSERT_TRUE(rig.until([&] { return done.has_value(); }));
  EXPECT_TRUE(client.sees_cut());
  EXPECT_FALSE(accept_on(press));
}

TEST(Engines, WhatTheyHaveIsToldAsOne) {
  Rig rig({.engines = 3});
  rig.apply(plant());
  Sessions sessions(rig, 7);
  const auto told = rig.sessions();
  EXPECT_EQ(7, told["total"]);
  EXPECT_EQ(7U, told["sessions"].size());
  const auto status = rig.status();
  EXPECT_EQ(7, status["sessions"]);
  EXPECT_EQ(3U, status["engines"].size());
  for (const auto& conduit : status["conduits"])
    if (conduit["name"] == "inspected") {
      EXPECT_EQ(7, conduit["sessions"]);
      EXPECT_EQ(7, conduit["handshakes"]["established"]);
    }
}

TEST(Engines, RefusedRequestsAreCountedHoweverManyTheyAre) {
  Rig rig({.engines = 2});
  rig.apply(plant());
  Sessions sessions(rig, 2);
  using namespace std::string_view_literals;
  const auto forbidden = "\x00\x07\x00\x00\x00\x06\x01\x06\x00\x01\x00\x02"sv;
  std::string flood;
  constexpr std::size_t kRequests = 2000;
  for (std::size_t i = 0; i < kRequests; ++i) flood += forbidden;
  for (Peer& client : sessions.clients) {
    std::size_t answers = 0;
    std::string_view rest = flood;
    ASSERT_TRUE(rig.until([&] {
      const IoResult put = client.leg().write(bytes(rest));
      if (put.io == Io::kOk) rest.remove_prefix(put.size);
      answers += client.take(64 * 1024).size();
      return answers == kRequests * 9;
    }));
  }
  EXPECT_TRUE(rig.until([&] {
    const auto status = rig.status();
    return status["conduits"][0]["requests-refused"] == 2 * kRequests;
  })) << rig.status();
  // And told, but not each.
  EXPECT_TRUE(rig.until([&] { return rig.journal.has("request-refused", "\"function\":6"); }));
  EXPECT_LE(rig.journal.events.size(), 60U);
}

TEST(Engines, EndOfTheProcessCutsTheSessionsOfAll) {
  auto rig = std::make_unique<Rig>(RigOptions{.engines = 3});
  rig->apply(plant());
  Sessions sessions(*rig, 6);
  rig->terminator.reset();
  for (Peer& client : sessions.clients) EXPECT_TRUE(client.sees_cut());
  for (Peer& device : sessions.devices) EXPECT_TRUE(device.sees_cut());
}

// Credentials change under handshakes that are going on in every engine: contexts are shared, and a
// session keeps the one that it began with.
TEST(Engines, ReloadUnderHandshakesDisturbsNone) {
  Rig rig({.engines = 3});
  rig.apply(plant());
  const os::UniqueFd camera = listen_on("10.20.0.7", 80);
  namespace fs = std::filesystem;
  const Context trusting = client_context("gw.example", "plant-ca.ca");
  std::vector<Peer> clients;
  std::size_t done = 0;
  constexpr std::size_t kClients = 60;
  int reloads = 0;
  std::vector<os::UniqueFd> devices;
  ASSERT_TRUE(rig.until(
      [&] {
        if (clients.size() < kClients && clients.size() < done + 12) {
          clients.push_back(dial(rig, "web"));
          EXPECT_TRUE(clients.back().leg().secure(trusting));
        }
        done = 0;
        for (Peer& client : clients) {
          const Io io = client.leg().handshake();
          EXPECT_NE(Io::kFailed, io) << client.leg().failure().context;
          done += io == Io::kOk ? 1 : 0;
        }
        while (auto device = accept_on(camera)) devices.push_back(*std::move(device));
        fs::last_write_time(rig.keys + "/gw.crt", fs::file_time_type::clock::now());
        reloads += rig.terminator->reload().find("\"web\"") != std::string::npos ? 1 : 0;
        return done == kClients && devices.size() == kClients;
      },
      60s));
  EXPECT_GT(reloads, 10);
  EXPECT_EQ(0U, rig.counts("web").failed);
}

}  // namespace
}  // namespace sallyport::terminator::testing
