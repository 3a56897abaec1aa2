// Named network namespaces below /run/netns, in the form that ip-netns(8) uses, so that people can
// look into them with its tools.
//
// A thread that enters a namespace is lost to its old one, so every piece of work inside a
// namespace runs on a thread made for it that ends with it: the daemon's own thread never moves,
// whatever fails. Needs CAP_SYS_ADMIN.
#pragma once

#include <sched.h>

#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "control/setup/outcome.h"
#include "policy/os/fd.h"

namespace sallyport::setup {

inline constexpr std::string_view kNamespaceFolder = "/run/netns";

std::string namespace_path(const std::string& name);

// Makes the folder a mount point of its own whose mounts are seen in every mount namespace, under
// the lock that ip-netns(8) takes for the same. Call before the first make_namespace.
// Rationale: whoever is second finds it done. If ip-netns(8) came after us and bound the folder
// over itself, our names would be mounted twice, once out of reach, and could not be removed any
// more.
Outcome<void> share_namespace_folder();
// A namespace of this name, new or found; its descriptor.
Outcome<os::UniqueFd> make_namespace(const std::string& name);
// ENOENT when there is none; a file of this name that is no namespace counts as none.
Outcome<os::UniqueFd> open_namespace(const std::string& name);
// The name goes; the kernel frees the namespace when nothing uses it any more. No error if absent.
Outcome<void> remove_namespace(const std::string& name);
// Names that open with `prefix`, sorted.
Outcome<std::vector<std::string>> list_namespaces(std::string_view prefix);
// The one this thread is in.
Outcome<os::UniqueFd> current_namespace();

// Runs `work` inside the namespace on a thread of its own; `work` returns an Outcome.
template <class Work>
auto inside(const os::UniqueFd& where, Work work) -> decltype(work()) {
  decltype(work()) out = failed(EIO, "thread");
  try {
    std::thread([&] {
      if (::setns(where.get(), CLONE_NEWNET) != 0) {
        out = failed(errno, "setns");
      } else {
        out = work();
      }
    }).join();
  } catch (const std::system_error& error) {  // no thread to be had
    out = failed(EAGAIN, error.what());
  }
  return out;
}

}  // namespace sallyport::setup
