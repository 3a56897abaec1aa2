// Does what a checked record asks for. Every operation may be asked for again with no further
// effect; a failure leaves what was in force, or a part that the same request completes later.
//
// Thread: the daemon's only one; work inside namespaces happens on short-lived threads below
// (namespaces.h).
#pragma once

#include <string>

#include "control/setup/outcome.h"
#include "control/setup/ports.h"
#include "control/setup/record.h"
#include "policy/os/fd.h"

namespace sallyport::setup {

// What an operation gives back: perhaps a descriptor, perhaps a name.
struct Product {
  os::UniqueFd descriptor;
  std::string name;
};

class Operations {
 public:
  // Makes or adopts `<prefix>ports`. `home`: where ports come from; it must outlive this object.
  static Outcome<Operations> open(const std::string& prefix, const os::UniqueFd& home);

  Outcome<Product> perform(const Request& request);

  // Takes away everything that carries the prefix, ports back home first. For --cleanup.
  Outcome<void> remove_everything();

 private:
  Operations(std::string prefix, Ports ports)
      : prefix_(std::move(prefix)), ports_(std::move(ports)) {}
  Outcome<void> change(const Request& request);
  Outcome<Product> open_descriptor(const Request& request);
  Outcome<os::UniqueFd> open_ring();
  Outcome<Product> list(std::uint32_t index) const;
  std::string segment(const std::string& name) const { return prefix_ + name; }

  std::string prefix_;
  Ports ports_;
  os::UniqueFd ring_;  // one for this daemon's life: both sides must be given the same memory
};

}  // namespace sallyport::setup
