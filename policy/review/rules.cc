#include "policy/review/rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "policy/wire/digest.h"

namespace sallyport::review {
namespace {

std::string key_text(const model::Reviewer& reviewer) {
  const auto key = wire::PublicKey::from_pem(reviewer.key);
  if (!key) return "unusable";
  std::string out;
  for (const std::uint8_t byte : key->point()) out += fmt::format("{:02x}", byte);
  return out;
}

}  // namespace

Keys keys_of(const model::ReviewRules& rules) {
  Keys out;
  const auto error = [&](const char* code, std::string message, std::string hint) {
    out.errors.push_back({rules.at, code, std::move(message), std::move(hint)});
  };
  for (std::size_t i = 0; i < rules.reviewers.size(); ++i) {
    const model::Reviewer& reviewer = rules.reviewers[i];
    auto key = wire::PublicKey::from_pem(reviewer.key);
    if (!key)
      error("bad-reviewer-key",
            fmt::format("reviewer {}: the key cannot be used: {}", reviewer.name,
                        key.error().context),
            std::string(wire::kKeyForm));
    out.keys.push_back(key ? std::optional(*key) : std::nullopt);
    for (std::size_t j = 0; j < i; ++j)
      if (rules.reviewers[j].name == reviewer.name || (key && out.keys[j] == out.keys[i]))
        error(
            "duplicate-reviewer",
            fmt::format("reviewers {} and {} are the same", rules.reviewers[j].name, reviewer.name),
            "each reviewer once, with a key of his own");
  }
  if (rules.required_signatures > rules.reviewers.size())
    error("too-few-reviewers",
          fmt::format("{} signatures are required of {} reviewers", rules.required_signatures,
                      rules.reviewers.size()),
          "more reviewers, or a smaller required-signatures");
  return out;
}

std::string rules_text(const model::ReviewRules& rules) {
  std::vector<std::string> reviewers;
  for (const model::Reviewer& one : rules.reviewers)
    reviewers.push_back(fmt::format("reviewer {} {}", one.name, key_text(one)));
  std::sort(reviewers.begin(), reviewers.end());
  return fmt::format("required-signatures {}\non-expiry {}\nclock {}\n{}\n",
                     rules.required_signatures,
                     rules.on_expiry == model::OnExpiry::kDeny ? "deny" : "alert",
                     rules.clock_trusted ? "trusted" : "judged", fmt::join(reviewers, "\n"));
}

std::string rules_statement(const model::ReviewRules& before, const model::ReviewRules& after,
                            std::string_view reviewer) {
  // With what was signed then: no other block, earlier or later, has these signatures.
  std::string old = rules_text(before);
  for (const model::Signature& one : before.signatures)
    old += fmt::format("signature {} {}\n", one.by, one.signature);
  return fmt::format("sallyport reviewers 1\n{}\nbefore {}\n{}", reviewer,
                     wire::to_hex(wire::sha256(old)), rules_text(after));
}

std::optional<std::string> change_refused(const model::ReviewRules& before,
                                          const model::ReviewRules& after) {
  if (before.required_signatures == 0 || rules_text(before) == rules_text(after))
    return std::nullopt;
  const Keys keys = keys_of(before);
  std::set<std::string> signers;
  std::vector<std::string> missing;
  for (std::size_t i = 0; i < before.reviewers.size(); ++i) {
    const std::string& name = before.reviewers[i].name;
    const std::string statement = rules_statement(before, after, name);
    const bool given = keys.keys[i] && std::ranges::any_of(after.signatures, [&](const auto& one) {
                         return one.by == name && keys.keys[i]->verifies(statement, one.signature);
                       });
    if (given)
      signers.insert(name);
    else
      missing.push_back(name);
  }
  if (signers.size() >= before.required_signatures) return std::nullopt;
  return fmt::format(
      "control.review is changed, which needs the signatures of {} of the reviewers in force; it "
      "has {}, those who can sign are {}\n  next: sallyctl review sign-rules FILE --key KEY",
      before.required_signatures, signers.size(), fmt::join(missing, ", "));
}

}  // namespace sallyport::review
