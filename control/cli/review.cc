// sallyctl review ...: what each conduit's review is worth; signing one; signing who signs.
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iostream>

#include "control/cli/config.h"
#include "control/cli/private_key.h"
#include "control/cli/review_edit.h"
#include "control/config/load.h"
#include "control/config/tree.h"
#include "policy/review/judge.h"
#include "policy/review/rules.h"
#include "policy/wire/digest.h"

namespace sallyport::control {
namespace {

constexpr std::size_t kMaxKeyFile = 16'384;
constexpr std::size_t kMaxCaFile = std::size_t{256} * 1024;

struct SignWords {
  std::string conduit;
  std::string key;
  std::string file;
  std::string before;
  std::vector<std::string> authorities;
  bool edit = false;
  bool apply = false;
};

// A text and, if it is the one in force, its revision.
struct Source {
  std::string text;
  std::uint64_t revision = 0;
};

Result<Source> in_force(const Context& context) {
  const auto reply = context.client().ask({{"op", "revision"}});
  if (!reply) return fail(reply.error());
  return Source{reply->result.value("text", ""), reply->result.value("number", std::uint64_t{0})};
}

Result<Source> source_of(const Context& context, const std::string& file) {
  if (file.empty()) return in_force(context);
  SALLYPORT_TRY(std::string text, read_config(file));
  return Source{std::move(text), 0};
}

Result<model::Gateway> gateway_of(const std::string& text) {
  auto gateway = load_config(text);
  if (gateway) return *std::move(gateway);
  return fail(ErrorKind::kInvalid, "config-invalid",
              "the configuration has mistakes; see sallyctl config check");
}

Result<PrivateKey> key_of(const std::string& path) {
  SALLYPORT_TRY(const std::string pem, read_file(path, kMaxKeyFile));
  auto key = PrivateKey::from_pem(pem);
  if (!key) return fail(key.error().kind, key.error().code, path + ": " + key.error().context);
  return key;
}

// Who this key belongs to.
Result<std::string> reviewer_of(const model::ReviewRules& rules, const PrivateKey& key) {
  for (const model::Reviewer& one : rules.reviewers)
    if (const auto known = wire::PublicKey::from_pem(one.key); known && *known == key.public_key())
      return one.name;
  return fail(ErrorKind::kRefused, "not-a-reviewer",
              "this key is none of the reviewers' in control.review\n  next: add it there: "
              "{ name: NAME, key: \"...\" }, the output of openssl pkey -in KEY -pubout");
}

// Hashes of CAs: of the files that are named, else as the gateway has them.
Result<review::Authorities> authorities_of(const Context& context, const SignWords& words) {
  review::Authorities out;
  for (const std::string& word : words.authorities) {
    const std::size_t is = word.find('=');
    if (is == word.npos)
      return fail(ErrorKind::kUsage, "bad-request", "--ca wants NAME=FILE, not " + word);
    SALLYPORT_TRY(const std::string text, read_file(word.substr(is + 1), kMaxCaFile));
    out[word.substr(0, is)] = wire::to_hex(wire::sha256(text));
  }
  return out.empty() ? gateway_authorities(context) : out;
}

Result<void> write_back(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  std::ofstream out(fresh, std::ios::binary | std::ios::trunc);
  out << text << std::flush;
  if (!out || std::rename(fresh.c_str(), path.c_str()) != 0)
    return fail(ErrorKind::kSystem, "cannot-write", path + " cannot be written");
  return {};
}

// What was made of it: into the file, into force, or onto the screen.
int deliver(const Context& context, const SignWords& words, const Source& source,
            const Result<std::string>& edited, const OrderedJson& result,
            const std::string& lines) {
  if ((words.edit || words.apply) && !edited) return context.refuse(edited.error());
  if (words.edit) {
    if (const auto written = write_back(words.file, *edited); !written)
      return context.refuse(written.error());
    if (context.json) return context.print(result);
    std::cout << good(words.file + " is signed", context.style) << "\n";
    return kExitDone;
  }
  if (words.apply) {
    const auto connection = context.client().connect();
    if (!connection) return context.refuse(connection.error());
    const std::string comment =
        fmt::format("review of {} signed by {}", words.conduit, result.value("by", "?"));
    OrderedJson body = {
        {"op", "apply"}, {"comment", comment}, {"yes", false}, {"take_over", false}};
    if (source.revision != 0) body["base"] = source.revision;
    return commit(context, *connection, {body, *edited, "the text in force"});
  }
  if (context.json) return context.print(result);
  std::cout << lines;
  return kExitDone;
}

struct Signed {
  std::string by;
  std::string text;
  std::string signature;
};

Result<Signed> sign_conduit(const Context& context, const SignWords& words,
                            const model::Gateway& gateway) {
  const auto conduit = std::ranges::find(gateway.conduits, words.conduit, &model::Conduit::name);
  if (conduit == gateway.conduits.end())
    return fail(ErrorKind::kUsage, "no-such-conduit", "there is no conduit " + words.conduit);
  if (!conduit->review)
    return fail(ErrorKind::kRefused, "no-review",
                "conduit " + words.conduit +
                    " has no review to sign\n  next: write review: { by, on, expires, reason }");
  SALLYPORT_TRY(const PrivateKey key, key_of(words.key));
  SALLYPORT_TRY(const std::string by, reviewer_of(gateway.review_rules, key));
  SALLYPORT_TRY(const review::Authorities authorities, authorities_of(context, words));
  const review::Parts parts = review::Resolver(gateway, authorities).parts_of(*conduit);
  for (const review::Part& part : parts)
    if (part.value == review::kUnknown)
      return fail(ErrorKind::kRefused, "unknown-part",
                  fmt::format("{} is not known here\n  next: for a CA, --ca NAME=FILE or a running "
                              "gateway that has it",
                              part.what));
  if (!context.json)
    for (const review::Part& part : parts)
      std::cerr << fmt::format("  {:<28} {}\n", part.what, part.value);
  Signed out{by, review::to_text(parts), {}};
  SALLYPORT_TRY(out.signature, key.sign(review::statement(by, out.text)));
  return out;
}

int review_sign(const Context& context, const SignWords& words) {
  if (words.edit && (words.file.empty() || words.apply))
    return context.refuse(
        {ErrorKind::kUsage, "bad-request", "--edit goes with --file FILE, --apply without one"});
  if (words.apply && !words.file.empty())
    return context.refuse(
        {ErrorKind::kUsage, "bad-request", "--apply signs the text in force; leave --file out"});
  const auto source = source_of(context, words.file);
  if (!source) return context.refuse(source.error());
  const auto gateway = gateway_of(source->text);
  if (!gateway) return context.refuse(gateway.error());
  const auto done = sign_conduit(context, words, *gateway);
  if (!done) return context.refuse(done.error());
  const model::Signature signature{done->by, done->signature};
  return deliver(context, words, *source,
                 put_review_signature(source->text, words.conduit, done->text, signature),
                 {{"conduit", words.conduit},
                  {"by", done->by},
                  {"signed", done->text},
                  {"signature", done->signature}},
                 fmt::format("signed: \"{}\"\n{}\n", done->text, signatures_line({signature})));
}

// Signatures over this very change stay.
std::vector<model::Signature> still_good(const model::ReviewRules& before,
                                         const model::ReviewRules& after) {
  std::vector<model::Signature> out;
  for (const model::Signature& one : after.signatures)
    for (const model::Reviewer& reviewer : before.reviewers)
      if (const auto key = wire::PublicKey::from_pem(reviewer.key);
          reviewer.name == one.by && key &&
          key->verifies(review::rules_statement(before, after, one.by), one.signature))
        out.push_back(one);
  return out;
}

int review_sign_rules(const Context& context, const SignWords& words) {
  const auto before_text = source_of(context, words.before);
  if (!before_text) return context.refuse(before_text.error());
  const auto after_text = source_of(context, words.file);
  if (!after_text) return context.refuse(after_text.error());
  const auto before = gateway_of(before_text->text);
  if (!before) return context.refuse(before.error());
  const auto after = gateway_of(after_text->text);
  if (!after) return context.refuse(after.error());
  const auto key = key_of(words.key);
  if (!key) return context.refuse(key.error());
  const auto by = reviewer_of(before->review_rules, *key);
  if (!by) return context.refuse(by.error());
  if (!context.json) std::cerr << review::rules_text(after->review_rules);
  const auto made =
      key->sign(review::rules_statement(before->review_rules, after->review_rules, *by));
  if (!made) return context.refuse(made.error());
  const model::Signature signature{*by, *made};
  auto keep = still_good(before->review_rules, after->review_rules);
  return deliver(context, words, *after_text,
                 put_rules_signature(after_text->text, keep, signature),
                 {{"by", *by}, {"signature", *made}}, signatures_line({signature}) + "\n");
}

int review_list(const Context& context) {
  const auto reply = context.client().ask({{"op", "review"}});
  if (!reply) return context.refuse(reply.error());
  return context.print(reply->result);
}

}  // namespace

review::Authorities gateway_authorities(const Context& context) {
  review::Authorities out;
  const auto reply = context.client().ask({{"op", "authorities"}});
  if (!reply) return out;
  if (const auto told = reply->result.find("authorities"); told != reply->result.end())
    for (const auto& [name, digest] : told->items())
      if (digest.is_string()) out[name] = digest.get<std::string>();
  return out;
}

void add_review(CLI::App& app, Context& context) {
  CLI::App* review = app.add_subcommand(
      "review", "Every conduit in force: is it reviewed, for how many days more, and if not, why");
  review->require_subcommand(0, 1);
  review->callback([&context, review] {
    if (review->get_subcommands().empty())
      context.command = [&context] { return review_list(context); };
  });
  const auto words = std::make_shared<SignWords>();
  CLI::App* sign = review->add_subcommand(
      "sign", "Sign what a conduit comes to; prints it and what belongs into its review");
  sign->add_option("conduit", words->conduit, "whose review")->type_name("CONDUIT")->required();
  sign->add_option("--key", words->key, "private key of a reviewer in control.review, PEM, P-256")
      ->type_name("FILE")
      ->required();
  sign->add_option("--file", words->file, "of this file instead of the text in force")
      ->type_name("FILE");
  sign->add_option("--ca", words->authorities,
                   "NAME=FILE: a CA as this file has it, instead of asking the gateway");
  sign->add_flag("--edit", words->edit, "write it into --file; nothing else there is touched");
  sign->add_flag("--apply", words->apply, "bring the text in force with the signature into force");
  sign->callback([&context, words] {
    context.command = [&context, words] { return review_sign(context, *words); };
  });
  CLI::App* rules = review->add_subcommand(
      "sign-rules", "Sign a change of control.review, as a reviewer who is in force before it");
  rules->add_option("file", words->file, "the configuration with the change")
      ->type_name("FILE")
      ->required();
  rules->add_option("--key", words->key, "private key of a reviewer in force, PEM, P-256")
      ->type_name("FILE")
      ->required();
  rules->add_option("--before", words->before, "the configuration before it, instead of asking")
      ->type_name("FILE");
  rules->add_flag("--edit", words->edit, "write it into the file; nothing else there is touched");
  rules->callback([&context, words] {
    context.command = [&context, words] { return review_sign_rules(context, *words); };
  });
}

}  // namespace sallyport::control
