// One thing set against another on a machine whose speed changes by more than what is asked, within
// a minute: both take turns, each turn right beside one of the other's, and what is compared are
// neighbours.
//
// Pure: the caller plays. Thread: one.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/perf/report/report.h"

namespace sallyport::bench {

// The one's turn by its neighbour's, pair by pair. `one` and `other` play a turn and return its
// rate. Who goes first changes from pair to pair (A B, B A, A B...), so that what drifts favours
// neither.
template <class One, class Other>
std::vector<double> in_turns(std::size_t pairs, bool one_first, One one, Other other) {
  std::vector<double> out;
  for (std::size_t i = 0; i < pairs; ++i, one_first = !one_first) {
    double of_one = one_first ? one() : 0;
    const double of_other = other();
    if (!one_first) of_one = one();
    out.push_back(of_other > 0 ? of_one / of_other : 0);
  }
  return out;
}

// Of an even number of values the middle of the two; 0 of none.
double median_of(std::vector<double> values);

// A line of a round's process, and what it says; empty if there is none.
std::string line_of_pairs(const std::vector<double>& ratios);
std::vector<double> pairs_in(const std::string& printed);

// What a round's pairs come to: their median. Where the one's turns differ, every `phases`-th being
// of a kind, it is the median of each kind's, added up by the time that equal work takes: a kind
// that is dear counts, a turn in which the machine was somebody else's does not. 0 of nothing.
double paired(const std::vector<double>& ratios, std::size_t phases = 1);

// A value for each round, or missed. The note tells how far the pairs lie apart.
Figure paired_figure(std::string name, std::string unit,
                     const std::vector<std::vector<double>>& rounds, double target,
                     std::size_t phases = 1);

// A peer whose rounds were played beside ours: the median of ratios pair by pair, not the ratio of
// medians. `ours` and `peers` are as long as each other and not empty.
Peer paired_peer(std::string name, const std::vector<double>& ours,
                 const std::vector<double>& peers);

}  // namespace sallyport::bench
