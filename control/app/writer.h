// One writer at a time: who holds the configuration, since when, and doing what. Everybody else is
// refused with that.
//
// A commit under way and a revision that waits to be confirmed hold it by themselves; an edit holds
// it for as long as its connection lives, so an editor that dies holds nothing.
// Thread: the loop's.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/app/commits.h"
#include "control/app/confirmation.h"
#include "control/app/server.h"

namespace sallyport::control {

struct Holder {
  std::string user;
  std::int64_t since_s = 0;
  std::string doing;  // "is applying revision 7"
  std::string next;   // what the one who is refused can do
};

class Writer {
 public:
  Writer(const Parts& parts, const Commits& commits, const Confirmation& confirmation)
      : parts_(parts), commits_(commits), confirmation_(confirmation) {}

  // Whoever holds it against this client.
  std::optional<Holder> holder(std::uint64_t client) const;
  std::optional<Holder> holder() const { return holder(0); }
  // Error{kUnavailable} "busy" with the holder's name and since when; nothing if `request` may go
  // on. `awaited_too`: it settles a revision that waits to be confirmed.
  std::optional<Error> refusal(const Request& request, bool awaited_too = false) const;

  // The client's from now on, if refusal() says nothing or somebody else's edit is taken over.
  void edit(const Request& request);
  bool editing(std::uint64_t client) const { return edit_ && edit_->client == client; }
  void end_edit(std::uint64_t client);

 private:
  struct Edit {
    std::uint64_t client = 0;
    std::string user;
    std::int64_t since_s = 0;
  };
  const Parts& parts_;
  const Commits& commits_;
  const Confirmation& confirmation_;
  std::optional<Edit> edit_;
};

}  // namespace sallyport::control
