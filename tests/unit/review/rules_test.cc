// Who says who signs.
#include "policy/review/rules.h"

#include <gtest/gtest.h>

#include "tests/support/review/reviewers.h"

namespace sallyport::review {
namespace {

model::ReviewRules without_cora(unsigned required) {
  model::ReviewRules out = testing::rules(required);
  out.reviewers.pop_back();
  return out;
}

bool refused(const model::ReviewRules& before, const model::ReviewRules& after) {
  return change_refused(before, after).has_value();
}

TEST(Rules, FirstReviewersNeedNobody) {
  EXPECT_FALSE(refused({}, testing::rules(2)));
  EXPECT_FALSE(refused(testing::rules(0), {}));
}

TEST(Rules, ChangeNeedsAsManyOfThoseInForceAsTheyRequire) {
  const model::ReviewRules before = testing::rules(2);
  model::ReviewRules after = without_cora(1);
  const auto why = change_refused(before, after);
  ASSERT_TRUE(why);
  EXPECT_NE(why->find("anna, bert, cora"), std::string::npos) << *why;
  testing::sign_rules(before, after, "anna");
  const auto still = change_refused(before, after);
  ASSERT_TRUE(still);
  EXPECT_NE(still->find("it has 1, those who can sign are bert, cora"), std::string::npos)
      << *still;
  testing::sign_rules(before, after, "anna");  // twice is once
  EXPECT_TRUE(refused(before, after));
  testing::sign_rules(before, after, "cora");
  EXPECT_FALSE(refused(before, after));
}

TEST(Rules, EveryFieldIsProtected) {
  const model::ReviewRules before = testing::rules(1);
  using Change = void (*)(model::ReviewRules&);
  const Change changes[] = {
      [](model::ReviewRules& r) { r.required_signatures = 0; },
      [](model::ReviewRules& r) { r.required_signatures = 2; },
      [](model::ReviewRules& r) { r.reviewers.pop_back(); },
      [](model::ReviewRules& r) { r.reviewers[0].name = "mallory"; },
      [](model::ReviewRules& r) { std::swap(r.reviewers[0].key, r.reviewers[1].key); },
      [](model::ReviewRules& r) { r.on_expiry = model::OnExpiry::kDeny; },
      [](model::ReviewRules& r) { r.clock_trusted = true; },
      [](model::ReviewRules& r) { r = {}; },
  };
  for (const Change change : changes) {
    model::ReviewRules after = before;
    change(after);
    EXPECT_TRUE(refused(before, after));
  }
  model::ReviewRules same = before;
  std::swap(same.reviewers[0], same.reviewers[2]);
  same.at = {7, 7};
  EXPECT_FALSE(refused(before, same));
}

TEST(Rules, ReviewersWhoComeWithTheChangeDoNotCount) {
  const model::ReviewRules before = without_cora(1);
  model::ReviewRules after = testing::rules(1);
  testing::sign_rules(before, after, "cora");
  EXPECT_TRUE(refused(before, after));
}

TEST(Rules, SignatureIsForThisChangeAlone) {
  const model::ReviewRules before = testing::rules(1);
  model::ReviewRules meant = without_cora(1);
  testing::sign_rules(before, meant, "anna");
  model::ReviewRules other = testing::rules(0);
  other.signatures = meant.signatures;
  EXPECT_TRUE(refused(before, other));
}

// Two to one, back to two, and the paper of the first time is offered once more.
TEST(Rules, OldSignatureDoesNotOpenTheSameDoorAgain) {
  const model::ReviewRules two = testing::rules(2);
  model::ReviewRules one = testing::rules(1);
  testing::sign_rules(two, one, "anna");
  testing::sign_rules(two, one, "bert");
  ASSERT_FALSE(refused(two, one));
  model::ReviewRules again = testing::rules(2);
  testing::sign_rules(one, again, "cora");
  ASSERT_FALSE(refused(one, again));
  EXPECT_TRUE(refused(again, one));
}

TEST(Rules, UnusableOnesAreMistakes) {
  const auto code = [](const model::ReviewRules& rules) {
    const Keys keys = keys_of(rules);
    return keys.errors.empty() ? std::string() : keys.errors.front().code;
  };
  EXPECT_EQ(code(testing::rules(2)), "");
  model::ReviewRules rules = testing::rules(2);
  rules.reviewers.resize(1);
  EXPECT_EQ(code(rules), "too-few-reviewers");
  rules = testing::rules(1);
  rules.reviewers[1].key = "-----BEGIN PUBLIC KEY----- no -----END PUBLIC KEY-----";
  EXPECT_EQ(code(rules), "bad-reviewer-key");
  rules = testing::rules(1);
  rules.reviewers[1].name = "anna";
  EXPECT_EQ(code(rules), "duplicate-reviewer");
}

}  // namespace
}  // namespace sallyport::review
