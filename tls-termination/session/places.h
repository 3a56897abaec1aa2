// The process has room for a bounded number of conversations (two descriptors, two buffers and two
// TLS states each). Who may have another one: half of the places is divided evenly among the
// conduits and kept free for them, the other half goes to whoever needs it first. So no conduit's
// clients, however many connections they open, take the last place of another conduit.
//
// Pure; one thread.
#pragma once

#include <cstddef>
#include <span>

namespace sallyport::terminator {

class Places {
 public:
  explicit Places(std::size_t total) : total_(total), common_(total) {}

  // `held`: what every conduit has now, also those that are gone and still have some; `conduits` of
  // them are to be kept a share for. Nothing is taken away; whoever has too much gets no more.
  void divide(std::size_t conduits, std::span<const std::size_t> held);

  // For a conduit that holds `held` places.
  bool may_take(std::size_t held) const;
  void take(std::size_t held);
  // `held` before giving.
  void give(std::size_t held);

  std::size_t total() const { return total_; }
  std::size_t used() const { return used_; }
  std::size_t share() const { return share_; }

 private:
  std::size_t total_;
  std::size_t share_ = 0;  // of each conduit, kept free
  std::size_t common_;     // the rest
  std::size_t used_ = 0;
  std::size_t common_used_ = 0;
};

}  // namespace sallyport::terminator
