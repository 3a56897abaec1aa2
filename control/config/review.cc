#include "control/config/review.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/config/values.h"

namespace sallyport::control {
namespace {

constexpr std::size_t kMaxReviewText = 500;
constexpr std::size_t kMaxReviewers = 100;
constexpr std::size_t kMaxSignatures = 10;
constexpr std::size_t kMaxBase64 = 200;
constexpr std::size_t kMaxReviewerName = 63;

std::string label(const Fields& fields, std::string_view key) {
  return fmt::format("{}: '{}'", fields.what(), key);
}

// True if there are no more than `most`.
bool bounded(Fields& fields, std::string_view key, std::size_t count, std::size_t most) {
  if (count <= most) return true;
  fields.problems().add(fields.at(key), "too-many",
                        fmt::format("{} has {} entries", label(fields, key), count),
                        fmt::format("at most {}", most));
  return false;
}

std::string read_reviewer_name(Fields& fields, std::string_view key) {
  const auto name = fields.word(key, true, "the name of a reviewer in control.review");
  if (!name) return {};
  check_name(*name, kMaxReviewerName, "reviewer", fields.at(key), fields.problems());
  return *name;
}

std::vector<model::Signature> read_signatures(Fields& fields) {
  std::vector<model::Signature> out;
  const auto items = fields.list("signatures");
  if (!bounded(fields, "signatures", items.size(), kMaxSignatures)) return out;
  for (const Node* item : items) {
    Fields one(*item, label(fields, "signatures"), {"by", "signature"}, fields.problems());
    if (!one.usable()) continue;
    model::Signature signature;
    signature.by = read_reviewer_name(one, "by");
    signature.signature =
        one.word("signature", true, "what `sallyctl review sign` prints").value_or("");
    const bool base64 = std::ranges::all_of(signature.signature, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '+' || c == '/' || c == '=';
    });
    if (!base64 || signature.signature.size() > kMaxBase64)
      fields.problems().add(one.at("signature"), "bad-signature",
                            label(one, "signature") + " is no signature in base64",
                            "what `sallyctl review sign` prints");
    out.push_back(std::move(signature));
  }
  return out;
}

std::string read_review_text(Fields& fields, std::string_view key, std::string_view hint) {
  const auto text = fields.word(key, true, hint);
  if (!text) return {};
  if (text->size() > kMaxReviewText)
    fields.problems().add(
        fields.at(key), "too-long",
        fmt::format("{} is longer than {} bytes", label(fields, key), kMaxReviewText),
        "a shorter text");
  return *text;
}

}  // namespace

model::Review read_review(const Node& node, const std::string& what, Problems& problems) {
  model::Review out;
  Fields fields(node, what + ": 'review'",
                {"by", "on", "expires", "reason", "signed", "signatures"}, problems);
  if (!fields.usable()) return out;
  out.by = read_review_text(fields, "by", "who reviewed it");
  out.reason = read_review_text(fields, "reason", "\"what it is for\"");
  if (const Node* on = fields.require("on", "2026-11-01"); on != nullptr)
    out.on_day = read_date(*on, label(fields, "on"), problems).value_or(0);
  if (const Node* expires = fields.require("expires", "2027-11-01"); expires != nullptr)
    out.expires_day = read_date(*expires, label(fields, "expires"), problems).value_or(0);
  if (out.on_day != 0 && out.expires_day != 0 && out.expires_day <= out.on_day)
    problems.add(fields.at("expires"), "review-ends-before-it-starts",
                 fields.what() + " expires on or before the day it was made", "a date after 'on'");
  out.signed_text = fields.word("signed", false, "what `sallyctl review sign` prints").value_or("");
  out.signatures = read_signatures(fields);
  return out;
}

model::ReviewRules read_control(const Node& node, Problems& problems) {
  model::ReviewRules out;
  constexpr const char* kHint =
      "{ required-signatures: 1, reviewers: [{ name: anna, key: \"...\" }] }";
  Fields top(node, "'control'", {"review"}, problems);
  if (!top.usable()) return out;
  const Node* review = top.require("review", kHint);
  if (review == nullptr) return out;
  Fields fields(*review, "'control.review'",
                {"required-signatures", "reviewers", "on-expiry", "clock", "signatures"}, problems);
  if (!fields.usable()) return out;
  out.at = fields.at();
  out.required_signatures =
      static_cast<unsigned>(fields.number("required-signatures", 0, 2, "0, 1 or 2").value_or(0));
  if (const auto index = fields.choice("on-expiry", {"alert", "deny"}))
    out.on_expiry = static_cast<model::OnExpiry>(*index);
  out.clock_trusted = fields.choice("clock", {"trusted"}).has_value();
  const auto reviewers = fields.list("reviewers");
  if (bounded(fields, "reviewers", reviewers.size(), kMaxReviewers))
    for (const Node* item : reviewers) {
      Fields one(*item, label(fields, "reviewers"), {"name", "key"}, problems);
      if (!one.usable()) continue;
      const std::string name = read_reviewer_name(one, "name");
      out.reviewers.push_back(
          {name, one.word("key", true, "the PEM text of a public key").value_or("")});
    }
  out.signatures = read_signatures(fields);
  return out;
}

}  // namespace sallyport::control
