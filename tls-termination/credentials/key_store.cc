#include "tls-termination/credentials/key_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "policy/os/fd.h"
#include "policy/wire/digest.h"
#include "tls-termination/wolfssl/certificate.h"
#include "tls-termination/wolfssl/tls_policy.h"

namespace sallyport::terminator {
namespace {

constexpr std::array<std::string_view, 4> kSuffixes = {"crt", "key", "ca", "crl"};
constexpr std::size_t kMaxName = 63;

bool good_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxName && name.front() != '-' &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

auto refuse(const char* code, std::string context) {
  return fail(ErrorKind::kInvalid, code, std::move(context));
}

Result<void> check_file(int fd, std::string_view name, std::string_view suffix, std::size_t largest,
                        std::size_t& size) {
  struct stat info{};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))
    return refuse("credential-unsafe", fmt::format("{}.{} is no regular file", name, suffix));
  const bool private_file = suffix == "key";
  if ((info.st_mode & (private_file ? 077U : 022U)) != 0)
    return refuse("credential-unsafe",
                  fmt::format("{}.{} can be {} by others; chmod {} it", name, suffix,
                              private_file ? "read" : "written", private_file ? "600" : "644"));
  if (info.st_size <= 0 || static_cast<std::uint64_t>(info.st_size) > largest)
    return refuse("credential-too-large", fmt::format("{}.{} has {} bytes, at most {}", name,
                                                      suffix, info.st_size, largest));
  size = static_cast<std::size_t>(info.st_size);
  return {};
}

}  // namespace

Result<Secret> KeyStore::read(std::string_view name, std::string_view suffix,
                              std::size_t largest) const {
  if (!good_name(name))
    return refuse("credential-bad-name",
                  fmt::format("'{}' is no credential name; write [a-z0-9-]", name));
  const std::string path = fmt::format("{}/{}.{}", folder_, name, suffix);
  const os::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd)
    return fail(ErrorKind::kNotFound, "credential-missing",
                fmt::format("{}: {}", path, std::strerror(errno)));
  std::size_t size = 0;
  SALLYPORT_TRY_VOID(check_file(fd.get(), name, suffix, largest, size));
  Secret out(size);
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = ::read(fd.get(), out.space().data() + have, size - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0)
      return fail(ErrorKind::kSystem, "credential-unreadable",
                  fmt::format("{}: changed while it was read", path));
    have += static_cast<std::size_t>(got);
  }
  return out;
}

std::map<std::string, std::string> KeyStore::authorities() const {
  constexpr std::string_view kSuffix = ".ca";
  std::map<std::string, std::string> out;
  std::error_code error;
  for (std::filesystem::directory_iterator at(folder_, error), end;
       !error && at != end && out.size() < kMaxAuthorities; at.increment(error)) {
    const std::string file = at->path().filename();
    if (!file.ends_with(kSuffix)) continue;
    const std::string name = file.substr(0, file.size() - kSuffix.size());
    if (const auto text = read(name, "ca", kMaxCredentialFile))
      out.emplace(name, wire::to_hex(wire::sha256(text->bytes())));
  }
  return out;
}

Result<std::optional<Secret>> KeyStore::revocations(std::string_view ca) const {
  auto list = read(ca, "crl", kMaxRevocationFile);
  if (list) return std::optional<Secret>(*std::move(list));
  if (list.error().kind == ErrorKind::kNotFound) return std::optional<Secret>();
  return fail(list.error());
}

Result<CredentialFact> KeyStore::check_own(std::string_view name, ConstBytes chain,
                                           std::int64_t now_s) const {
  SALLYPORT_TRY(const Certificate leaf, Certificate::from_pem(chain));
  const unsigned floor = leaf.key_type() == "RSA" ? kMinOwnRsaBits : kMinEcBits;
  if (leaf.key_type() == "other" || leaf.key_bits() < floor)
    return refuse("credential-weak-key",
                  fmt::format("{}.crt has a key of {} bits ({}); RSA needs {}, EC {}", name,
                              leaf.key_bits(), leaf.key_type(), kMinOwnRsaBits, kMinEcBits));
  if (leaf.not_after() <= now_s)
    return refuse("credential-expired", fmt::format("{}.crt is no longer valid", name));
  if (leaf.not_before() > now_s)
    return refuse("credential-not-yet-valid",
                  fmt::format("{}.crt is not valid yet; is the clock right?", name));
  return CredentialFact{std::string(name), leaf.subject(), leaf.not_after()};
}

Result<Loaded> KeyStore::listener(const ListenerCredentials& wanted, std::int64_t now_s) const {
  SALLYPORT_TRY(const Secret chain, read(wanted.certificate, "crt", kMaxCredentialFile));
  SALLYPORT_TRY(const Secret key, read(wanted.certificate, "key", kMaxCredentialFile));
  std::vector<CredentialFact> facts;
  SALLYPORT_TRY(facts.emplace_back(), check_own(wanted.certificate, chain.bytes(), now_s));
  ServerSetup setup{.chain = chain.bytes(),
                    .key = key.bytes(),
                    .client_certificate = wanted.client_certificate,
                    .client_ca = {},
                    .client_crl = {}};
  Secret ca;
  std::optional<Secret> crl;
  if (wanted.client_certificate != ClientCertificate::kNone) {
    SALLYPORT_TRY(ca, read(wanted.client_ca, "ca", kMaxCredentialFile));
    SALLYPORT_TRY(crl, revocations(wanted.client_ca));
    setup.client_ca = ca.bytes();
    if (crl) setup.client_crl.push_back(crl->bytes());
  }
  SALLYPORT_TRY(Context context, Context::server(setup));
  return Loaded{std::move(context), std::move(facts)};
}

Result<Loaded> KeyStore::client(const ServerCredentials& wanted, std::int64_t now_s) const {
  SALLYPORT_TRY(const Secret ca, read(wanted.server_ca, "ca", kMaxCredentialFile));
  SALLYPORT_TRY(const std::optional<Secret> crl, revocations(wanted.server_ca));
  ClientSetup setup{.server_name = wanted.server_name,
                    .server_ca = ca.bytes(),
                    .server_crl = {},
                    .chain = {},
                    .key = {}};
  if (crl) setup.server_crl.push_back(crl->bytes());
  std::vector<CredentialFact> facts;
  Secret chain;
  Secret key;
  if (!wanted.certificate.empty()) {
    SALLYPORT_TRY(chain, read(wanted.certificate, "crt", kMaxCredentialFile));
    SALLYPORT_TRY(key, read(wanted.certificate, "key", kMaxCredentialFile));
    SALLYPORT_TRY(facts.emplace_back(), check_own(wanted.certificate, chain.bytes(), now_s));
    setup.chain = chain.bytes();
    setup.key = key.bytes();
  }
  SALLYPORT_TRY(Context context, Context::client(setup));
  return Loaded{std::move(context), std::move(facts)};
}

std::string KeyStore::stamp(const std::vector<std::string>& names) const {
  std::string out;
  for (const std::string& name : names) {
    if (name.empty()) continue;
    for (const std::string_view suffix : kSuffixes) {
      struct stat info{};
      if (::stat(fmt::format("{}/{}.{}", folder_, name, suffix).c_str(), &info) != 0) continue;
      out += fmt::format("{}.{}:{}:{}:{}.{};", name, suffix, info.st_ino, info.st_size,
                         info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
    }
  }
  return out;
}

}  // namespace sallyport::terminator
