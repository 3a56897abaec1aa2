// Writes tests/snapshots/tls-policy.txt from the policy table, or fails if the committed file
// differs: a change of TLS policy is a visible change of that file.
//   tls_policy_text --write|--check FILE
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include "tls-termination/wolfssl/tls_policy.h"

int main(int argc, char** argv) {
  const std::string what = argc == 3 ? argv[1] : "";
  if (what != "--write" && what != "--check") {
    std::cerr << "usage: tls_policy_text --write|--check FILE\n";
    return 2;
  }
  const std::string text = sallyport::terminator::expanded_policy();
  if (what == "--write") return std::ofstream(argv[2], std::ios::binary) << text ? 0 : 1;
  std::ifstream in(argv[2], std::ios::binary);
  const std::string seen{std::istreambuf_iterator<char>(in), {}};
  if (seen == text) return 0;
  std::cerr << argv[2] << ": differs from tls-termination/wolfssl/tls_policy.h; write it again "
            << "with tls_policy_text --write and review the difference\n";
  return 1;
}
