// Fixed memory, indexed. An index past the end is a bug of the caller's and aborts in debug, test
// and fuzz builds; in release builds the hot path does not pay for it (rule of SALLYPORT_ASSUME).
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "policy/admission/place.h"
#include "policy/base/check.h"

namespace sallyport::admission {

// Allocated once, of default-constructed elements.
template <class T>
class Table {
 public:
  explicit Table(std::size_t size) : elements_(size) {}

  T& operator[](std::size_t i) {
    SALLYPORT_ASSUME(i < elements_.size());
    return elements_.data()[i];
  }
  const T& operator[](std::size_t i) const {
    SALLYPORT_ASSUME(i < elements_.size());
    return elements_.data()[i];
  }
  std::size_t size() const { return elements_.size(); }
  auto begin() const { return elements_.begin(); }
  auto end() const { return elements_.end(); }

 private:
  std::vector<T> elements_;
};

// The caller's places.
class Places {
 public:
  explicit Places(std::span<Place> memory) : data_(memory.data()), size_(memory.size()) {}

  Place& operator[](std::size_t id) const {
    SALLYPORT_ASSUME(id < size_);
    return data_[id];
  }
  std::size_t size() const { return size_; }

 private:
  Place* data_;
  std::size_t size_;
};

}  // namespace sallyport::admission
