// What sallyctl may ask: operations by name, each added by the family that it belongs to (one file
// below commands/ per family). Who may is judged here, before a family sees the request.
//
// Thread: the loop's. Nothing here waits: reads are answered at once, beside the loop, or passed on
// to the sibling that knows. Failures: a request that nobody knows or that is not permitted is
// refused with a code of control/cli/exit_codes.h.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "control/app/server.h"

namespace sallyport::control {

struct Parts;
class Commits;
class Confirmation;
class FlowWatch;
class Ledger;
class Writer;

enum class Access : std::uint8_t {
  kRead,   // everybody on the machine
  kWrite,  // root and the group `sallyport`
};

class Commands {
 public:
  using Run = std::function<void(Request, Responder)>;

  explicit Commands(std::string version) : version_(std::move(version)) {}
  // Once per name.
  void add(std::string op, Access access, Run run);
  void handle(Request request, const Responder& responder) const;

 private:
  struct Command {
    Access access;
    Run run;
  };
  std::string version_;
  std::map<std::string, Command, std::less<>> commands_;
};

// The families. What they are lent must outlive `commands`.
void add_status_commands(Commands& commands, std::function<nlohmann::json()> status);
void add_show_commands(Commands& commands, Parts& parts, const Ledger& ledger);
void add_query_commands(Commands& commands, Parts& parts);    // passed on to the siblings
void add_explain_commands(Commands& commands, Parts& parts);  // and --candidate
void add_prove_commands(Commands& commands, Parts& parts);
void add_document_commands(Commands& commands, Parts& parts);
void add_review_commands(Commands& commands, Parts& parts);
void add_traffic_commands(Commands& commands, Parts& parts, const FlowWatch& flows);
void add_revision_commands(Commands& commands, Parts& parts, Commits& commits,
                           Confirmation& confirmation, Writer& writer);

// setup, dataplane and terminator as control sees them now.
nlohmann::json processes_json(const Parts& parts);

}  // namespace sallyport::control
