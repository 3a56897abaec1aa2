// The folder of named credentials, <state-dir>/keys, which the terminator alone can read (its own
// user, 0700):
//   NAME.crt   certificate chain, leaf first, PEM      NAME.key   its private key, PEM, unencrypted
//   NAME.ca    CA certificates, PEM                    NAME.crl   revocation list of that CA, PEM
// Names are [a-z0-9-] as in gateway.yaml. A file that others may read or write, that is too large,
// or that is no regular file is refused.
//
// Keys are held only while a context is built, then wiped. What is wrong with a credential is an
// Error with one of: credential-bad-name, credential-missing, credential-unsafe (permissions),
// credential-too-large, credential-weak-key, credential-expired, credential-not-yet-valid,
// credential-no-ca, and the codes of Context::server / Context::client.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/base/result.h"
#include "tls-termination/credentials/secret.h"
#include "tls-termination/wolfssl/tls.h"

namespace sallyport::terminator {

inline constexpr std::size_t kMaxCredentialFile = std::size_t{256} * 1024;
inline constexpr std::size_t kMaxAuthorities = 256;
inline constexpr std::size_t kMaxRevocationFile = std::size_t{4} * 1024 * 1024;

// What `status` shows of a credential in use.
struct CredentialFact {
  std::string name;
  std::string subject;
  std::int64_t not_after = 0;  // seconds since 1970
};

// One leg's TLS as a conduit names it.
struct ListenerCredentials {
  std::string certificate;
  ClientCertificate client_certificate = ClientCertificate::kNone;
  std::string client_ca;
};
struct ServerCredentials {
  std::string server_name;
  std::string server_ca;
  std::string certificate;  // empty: none
};

struct Loaded {
  Context context;
  std::vector<CredentialFact> facts;
};

class KeyStore {
 public:
  explicit KeyStore(std::string folder) : folder_(std::move(folder)) {}

  // `now_s`: seconds since 1970, to judge validity.
  Result<Loaded> listener(const ListenerCredentials& wanted, std::int64_t now_s) const;
  Result<Loaded> client(const ServerCredentials& wanted, std::int64_t now_s) const;

  // SHA-256 of every CA's file that read() takes, by name, in hexadecimal; at most
  // kMaxAuthorities.
  std::map<std::string, std::string> authorities() const;

  // Changes whenever a file of one of these credentials does (size, times, inode); cheap.
  std::string stamp(const std::vector<std::string>& names) const;

  const std::string& folder() const { return folder_; }

 private:
  Result<Secret> read(std::string_view name, std::string_view suffix, std::size_t largest) const;
  Result<std::optional<Secret>> revocations(std::string_view ca) const;
  Result<CredentialFact> check_own(std::string_view name, ConstBytes chain,
                                   std::int64_t now_s) const;
  std::string folder_;
};

}  // namespace sallyport::terminator
