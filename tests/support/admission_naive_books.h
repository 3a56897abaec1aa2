// The naive twin's owner: tokens, shares and the order of lanes, told with one vector. See
// admission_naive.h. Rules 1 and 2 of docs/design/0003-admission.md, "Who is next".
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "policy/admission/budget.h"
#include "policy/admission/capacity.h"
#include "policy/admission/cost_ledger.h"
#include "policy/admission/engine.h"

namespace sallyport::admission::test {

class NaiveBooks {
 public:
  // What a lane has to tell since it was last settled.
  struct Statement {
    Capacity::Sample sample{};
    std::uint32_t returned = 0, taken = 0;
    std::uint64_t expected = 0;
    std::int64_t due = 0, spare = 0;
    std::uint32_t waiting = 0, in_flight = 0, slow = 0;  // as of now
  };

  NaiveBooks(const ConduitConfig& config, const std::vector<Engine::LaneSpec>& lanes, Instant now)
      : config_(config),
        capacity_(config.rate_per_s, config.inflight - config.inflight / 4, config.cost, now),
        filled_(now) {
    for (const auto& spec : lanes) {
      Account account;
      account.weight = spec.weight;
      account.priority = spec.priority;
      accounts_.push_back(account);
    }
  }

  Capacity& capacity() { return capacity_; }
  const Capacity& capacity() const { return capacity_; }

  std::uint32_t demand(LaneId lane) const {
    const Account& a = accounts_[lane];
    return a.reported > a.given ? a.reported - a.given : 0;
  }
  std::uint32_t demand() const {
    std::uint32_t n = 0;
    for (std::size_t i = 0; i < accounts_.size(); ++i) n += demand(static_cast<LaneId>(i));
    return n;
  }
  std::uint32_t slow() const {
    std::uint32_t n = 0;
    for (const Account& a : accounts_) n += a.slow;
    return n;
  }

  void fill(Instant now) {
    const std::int64_t elapsed = std::clamp<std::int64_t>((now - filled_).count(), 0, kNanos);
    filled_ = now;
    const std::int64_t earned = static_cast<std::int64_t>(capacity_.rate16()) * elapsed;
    const std::int64_t repaid = std::min(repay_, earned / Budget::kRepayShare);
    repay_ -= repaid;
    tokens_ = std::min(tokens_ + earned + repaid, bucket());
  }

  // Nobody waits, so nobody misses what came back unused.
  void forgive() { repay_ = 0; }

  bool may_start(std::uint32_t in_flight, Instant now) const {
    if (in_flight >= config_.inflight) return false;
    if (capacity_.probe_due(now)) return true;
    return tokens_ >= kTurn && in_flight - slow() < capacity_.window() && capacity_.may_start(now);
  }

  void pay(LaneId lane, Instant now) {
    Account& account = accounts_[lane];
    ++account.given;
    tokens_ -= account.costs.price() * kNanos;
    account.deficit -= account.costs.price();
    account.costs.charge();
    capacity_.granted(1, now);
    auto first = std::ranges::find_if(
        ring_, [&](LaneId other) { return accounts_[other].priority == account.priority; });
    if (first != ring_.end() && *first == lane && account.deficit < kFullCost) {
      ring_.erase(first);
      ring_.push_back(lane);
    }
  }
  // Nobody was there: as if it had not been given, and nobody waits until the lane says so again.
  void undo(LaneId lane) {
    Account& account = accounts_[lane];
    --account.given;
    account.costs.undo();
    tokens_ += account.costs.price() * kNanos;
    account.deficit += account.costs.price();
    account.reported = 0;
  }
  void leave_if_idle(LaneId lane) {
    if (demand(lane) == 0) std::erase(ring_, lane);
  }

  // What the lane has to tell reaches the books.
  void settle(LaneId lane, const Statement& s, Instant now) {
    Account& account = accounts_[lane];
    auto settled = account.costs.settle(s.taken, 0, s.expected);
    settled.change -= s.due;
    settled.unused += s.spare;
    fill(now);
    repay_ = std::min(repay_ + settled.unused * kNanos,
                      static_cast<std::int64_t>(capacity_.rate16()) * Budget::kRepayWithin.count());
    tokens_ = std::clamp(tokens_ + settled.change * kNanos, -bucket(), bucket());
    account.deficit = std::clamp<std::int64_t>(account.deficit + settled.change + settled.unused,
                                               -64 * std::int64_t{kFullCost},
                                               4 * std::int64_t{kFullCost} * account.weight);
    Capacity::Sample sample = s.sample;
    sample.taken = s.taken;
    sample.due = s.due;
    capacity_.learn(sample, now);
    account.reported = s.waiting;
    account.given = 0;
    account.in_flight = s.in_flight;
    account.slow = s.slow;
    const bool ringed = std::ranges::count(ring_, lane) > 0;
    if (demand(lane) > 0 && !ringed) {
      account.deficit = std::min<std::int64_t>(account.deficit, 0);
      ring_.push_back(lane);
    }
    leave_if_idle(lane);
  }

  // `ring_` holds every waiting lane; those of one priority in the order of service.
  std::optional<LaneId> next_lane() {
    std::vector<std::uint8_t> priorities;
    std::uint64_t weights = 0;
    for (const LaneId id : ring_) {
      priorities.push_back(accounts_[id].priority);
      weights += accounts_[id].weight;
    }
    std::ranges::sort(priorities);
    const auto repeated = std::ranges::unique(priorities);
    priorities.erase(repeated.begin(), repeated.end());
    std::size_t from = 0;
    if (priorities.size() > 1 && ++since_leak_ >= Budget::kLeakEvery) {
      since_leak_ = 0;
      from = 1;
    }
    for (std::size_t p = from; p < priorities.size(); ++p) {
      std::vector<LaneId> members;
      for (const LaneId id : ring_)
        if (accounts_[id].priority == priorities[p]) members.push_back(id);
      for (std::size_t without_room = 0; without_room < members.size();) {
        Account& account = accounts_[members.front()];
        const std::uint64_t share = std::uint64_t{config_.inflight} * account.weight / weights;
        if (weights != account.weight &&
            account.in_flight + account.given >= std::max<std::uint64_t>(share, 1)) {
          ++without_room;
        } else {
          if (account.deficit < kFullCost)
            account.deficit += std::int64_t{account.weight} * kFullCost;
          if (account.deficit >= kFullCost) {
            put_back(priorities[p], members);
            return members.front();
          }
          without_room = 0;
        }
        std::ranges::rotate(members, members.begin() + 1);
      }
      put_back(priorities[p], members);
    }
    return std::nullopt;
  }

 private:
  static constexpr std::int64_t kNanos = 1'000'000'000;
  static constexpr std::int64_t kTurn = std::int64_t{kFullCost} * kNanos;

  struct Account {
    std::uint16_t weight = 1;
    std::uint8_t priority = 0;
    std::int64_t deficit = 0;
    CostLedger costs;
    // As of the last settling, and given since.
    std::uint32_t reported = 0, given = 0, in_flight = 0, slow = 0;
  };

  std::int64_t bucket() const {
    const auto rate = static_cast<std::int64_t>(capacity_.rate16());
    return std::max(kTurn + rate * Budget::kPollSlack.count(), rate * Budget::kBurst.count());
  }
  void put_back(std::uint8_t priority, const std::vector<LaneId>& members) {
    std::size_t n = 0;
    for (LaneId& id : ring_)
      if (accounts_[id].priority == priority) id = members[n++];
  }

  ConduitConfig config_;
  Capacity capacity_;
  Instant filled_;
  std::int64_t tokens_ = kTurn;
  std::int64_t repay_ = 0;
  std::vector<Account> accounts_;
  std::vector<LaneId> ring_;
  std::uint32_t since_leak_ = 0;
};

}  // namespace sallyport::admission::test
