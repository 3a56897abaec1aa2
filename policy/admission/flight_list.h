// A list of handshakes in flight, in the order in which they joined it. Links live in the places;
// joining and leaving cost a constant. A place is in one list at most.
#pragma once

#include <cstdint>

#include "policy/admission/table.h"

namespace sallyport::admission {

class FlightList {
 public:
  PlaceId oldest() const { return head_; }
  std::uint32_t size() const { return size_; }

  void push(Places places, PlaceId id) {
    Place& place = places[id];
    place.flight_next = kNone;
    place.flight_prev = tail_;
    (tail_ != kNone ? places[tail_].flight_next : head_) = id;
    tail_ = id;
    ++size_;
  }
  void remove(Places places, PlaceId id) {
    const Place& place = places[id];
    (place.flight_prev != kNone ? places[place.flight_prev].flight_next : head_) =
        place.flight_next;
    (place.flight_next != kNone ? places[place.flight_next].flight_prev : tail_) =
        place.flight_prev;
    --size_;
  }

 private:
  PlaceId head_ = kNone;
  PlaceId tail_ = kNone;
  std::uint32_t size_ = 0;
};

}  // namespace sallyport::admission
