// A value with a cache line of its own: written by one thread, read by another, and nothing beside
// it that would travel along.
#pragma once

namespace sallyport::dataplane {

template <class T>
struct alignas(64) OwnLine {
  T value{};
};

}  // namespace sallyport::dataplane
