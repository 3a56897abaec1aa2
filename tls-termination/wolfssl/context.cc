#include <fmt/format.h>
#include <wolfssl/options.h>
// The options come before every other header of the library.
#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <mutex>

#include "tls-termination/wolfssl/certificate.h"
#include "tls-termination/wolfssl/library_text.h"
#include "tls-termination/wolfssl/socket_io.h"
#include "tls-termination/wolfssl/tls.h"
#include "tls-termination/wolfssl/tls_policy.h"

namespace sallyport::terminator {
namespace {

Result<void> expect(int code, const char* name, const char* what) {
  if (code == WOLFSSL_SUCCESS) return {};
  return fail(name == std::string_view("tls-context") ? ErrorKind::kSystem : ErrorKind::kInvalid,
              name, fmt::format("{}: {}", what, library_text(code)));
}

std::string suite_list() {
  std::string out;
  for (const Suite& suite : kStrictSuites) {
    if (!out.empty()) out += ':';
    out += suite.library;
  }
  return out;
}

Result<void> apply_policy(WOLFSSL_CTX* ctx, bool server) {
  SALLYPORT_TRY_VOID(expect(wolfSSL_CTX_set_cipher_list(ctx, suite_list().c_str()), "tls-context",
                            "cipher suites"));
  SALLYPORT_TRY_VOID(
      expect(wolfSSL_CTX_SetMinVersion(ctx, WOLFSSL_TLSV1_2), "tls-context", "lowest version"));
  std::vector<int> groups;
  for (const Group& group : kStrictGroups)
    if (available(group) && (server ? group.listener : group.uplink)) groups.push_back(group.id);
  SALLYPORT_TRY_VOID(
      expect(wolfSSL_CTX_set_groups(ctx, groups.data(), static_cast<int>(groups.size())),
             "tls-context", "groups"));
  SALLYPORT_TRY_VOID(
      expect(wolfSSL_CTX_SetMinRsaKey_Sz(ctx, kMinPeerRsaBits), "tls-context", "smallest RSA key"));
  SALLYPORT_TRY_VOID(
      expect(wolfSSL_CTX_SetMinEccKey_Sz(ctx, kMinEcBits), "tls-context", "smallest EC key"));
  wolfSSL_CTX_set_verify_depth(ctx, static_cast<int>(kMaxChainDepth));
  wolfSSL_CTX_set_session_cache_mode(ctx, WOLFSSL_SESS_CACHE_OFF);
  if (server) {
    wolfSSL_CTX_no_ticket_TLSv13(ctx);  // reports a client context as an error, which this is not
    SALLYPORT_TRY_VOID(
        expect(wolfSSL_CTX_NoTicketTLSv12(ctx), "tls-context", "session tickets off"));
  }
  attach_socket_io(ctx);
  return {};
}

Result<void> load_identity(WOLFSSL_CTX* ctx, ConstBytes chain, ConstBytes key) {
  const int loaded =
      wolfSSL_CTX_use_certificate_chain_buffer(ctx, chain.data(), static_cast<long>(chain.size()));
  SALLYPORT_TRY_VOID(expect(loaded, "bad-certificate", "the certificate chain"));
  SALLYPORT_TRY_VOID(
      expect(wolfSSL_CTX_use_PrivateKey_buffer(ctx, key.data(), static_cast<long>(key.size()),
                                               WOLFSSL_FILETYPE_PEM),
             "bad-key", "the private key"));
  return expect(wolfSSL_CTX_check_private_key(ctx), "key-mismatch",
                "the private key does not belong to the certificate");
}

Result<void> load_trust(WOLFSSL_CTX* ctx, ConstBytes ca, const std::vector<ConstBytes>& crls) {
  SALLYPORT_TRY_VOID(expect(wolfSSL_CTX_load_verify_buffer(
                                ctx, ca.data(), static_cast<long>(ca.size()), WOLFSSL_FILETYPE_PEM),
                            "bad-ca", "the CA certificate"));
  if (crls.empty()) return {};
  SALLYPORT_TRY_VOID(
      expect(wolfSSL_CTX_EnableCRL(ctx, WOLFSSL_CRL_CHECKALL), "bad-crl", "revocation list"));
  for (const ConstBytes crl : crls) {
    SALLYPORT_TRY_VOID(
        expect(wolfSSL_CTX_LoadCRLBuffer(ctx, crl.data(), static_cast<long>(crl.size()),
                                         WOLFSSL_FILETYPE_PEM),
               "bad-crl", "the revocation list"));
  }
  return {};
}

std::shared_ptr<WOLFSSL_CTX> make_context(WOLFSSL_METHOD* method) {
  return {wolfSSL_CTX_new(method), [](WOLFSSL_CTX* ctx) {
            if (ctx != nullptr) wolfSSL_CTX_free(ctx);
          }};
}

int verify_mode(ClientCertificate wish) {
  switch (wish) {
    case ClientCertificate::kNone:
      return WOLFSSL_VERIFY_NONE;
    case ClientCertificate::kOptional:
      return WOLFSSL_VERIFY_PEER;
    case ClientCertificate::kRequired:
      return WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  }
  return WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT;
}

}  // namespace

Result<void> start_library() {
  static const int code = wolfSSL_Init();
  return expect(code, "tls-library", "the TLS library does not start");
}

Result<Context> Context::server(const ServerSetup& setup) {
  SALLYPORT_TRY_VOID(start_library());
  Context out;
  out.server_ = true;
  out.ctx_ = make_context(wolfTLS_server_method());
  if (!out.ctx_) return fail(ErrorKind::kSystem, "tls-context", "no memory for a TLS context");
  SALLYPORT_TRY_VOID(apply_policy(out.raw(), true));
  SALLYPORT_TRY_VOID(load_identity(out.raw(), setup.chain, setup.key));
  SALLYPORT_TRY(Certificate leaf, Certificate::from_pem(setup.chain));
  out.leaf_ = std::make_shared<const Certificate>(std::move(leaf));
  if (setup.client_certificate != ClientCertificate::kNone)
    SALLYPORT_TRY_VOID(load_trust(out.raw(), setup.client_ca, setup.client_crl));
  wolfSSL_CTX_set_verify(out.raw(), verify_mode(setup.client_certificate), nullptr);
  return out;
}

Result<Context> Context::client(const ClientSetup& setup) {
  SALLYPORT_TRY_VOID(start_library());
  if (setup.server_name.empty())
    return fail(ErrorKind::kUsage, "tls-no-server-name", "there is no name to verify");
  Context out;
  out.server_name_ = setup.server_name;
  out.ctx_ = make_context(wolfTLS_client_method());
  if (!out.ctx_) return fail(ErrorKind::kSystem, "tls-context", "no memory for a TLS context");
  SALLYPORT_TRY_VOID(apply_policy(out.raw(), false));
  if (!setup.chain.empty()) SALLYPORT_TRY_VOID(load_identity(out.raw(), setup.chain, setup.key));
  SALLYPORT_TRY_VOID(load_trust(out.raw(), setup.server_ca, setup.server_crl));
  wolfSSL_CTX_set_verify(out.raw(), WOLFSSL_VERIFY_PEER, nullptr);
  return out;
}

}  // namespace sallyport::terminator
