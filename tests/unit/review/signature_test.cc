// Whose signature counts, how often, and over what.
#include <gtest/gtest.h>

#include "policy/compile/compile.h"
#include "policy/prove/prove.h"
#include "policy/review/judge.h"
#include "tests/support/policy/sample_gateway.h"
#include "tests/support/review/reviewers.h"

namespace sallyport::review {
namespace {

const Authorities kAuthorities = {{"plant-ca", std::string(64, 'a')},
                                  {"cloud-ca", std::string(64, 'b')}};
constexpr const char* kName = "office-sees-camera";
constexpr std::size_t kPlace = 3;

struct Signed : ::testing::Test {
  model::Gateway g = testing::sample_gateway();
  Settled settled;

  void require(unsigned signatures) { g.review_rules = testing::rules(signatures); }
  void sign(const char* reviewer) { testing::sign_review(g, kName, reviewer, kAuthorities); }
  model::Review& review() { return *g.conduits[kPlace].review; }
  Verdict verdict(std::optional<std::int32_t> today = std::nullopt) {
    settled = settle(g, kAuthorities);
    EXPECT_TRUE(settled.errors.empty());
    return judge(g.conduits[kPlace], settled.standings[kPlace], g.review_rules, today);
  }
  bool told(const std::string& part) {
    const std::string why = verdict().why;
    return why.find(part) != std::string::npos || (ADD_FAILURE() << why, false);
  }
};

TEST_F(Signed, NoneAreRequiredUnlessSomebodySaysSo) {
  EXPECT_EQ(verdict().state, State::kValid);
  require(1);
  EXPECT_EQ(verdict().state, State::kUnsigned);
  EXPECT_TRUE(told("it has 0 of 1 signatures"));
}

TEST_F(Signed, AsManyDifferentReviewersAsRequiredMakeItStand) {
  require(2);
  sign("anna");
  EXPECT_EQ(verdict().state, State::kUnsigned);
  EXPECT_TRUE(told("it has 1 of 2 signatures"));
  sign("bert");
  EXPECT_EQ(verdict().state, State::kValid);
  EXPECT_EQ(settled.standings[kPlace].signed_by, (std::vector<std::string>{"anna", "bert"}));
  sign("cora");
  EXPECT_EQ(verdict().state, State::kValid);
}

TEST_F(Signed, OneReviewerCountsOnce) {
  require(2);
  sign("anna");
  sign("anna");  // another signature over the same
  EXPECT_NE(review().signatures[0].signature, review().signatures[1].signature);
  EXPECT_EQ(verdict().state, State::kVoid);
  EXPECT_TRUE(told("anna counts once"));
}

TEST_F(Signed, OneReviewerUnderTwoNamesIsRefused) {
  require(2);
  g.review_rules.reviewers.push_back({"anna2", testing::public_key("anna")});
  const Settled found = settle(g, kAuthorities);
  ASSERT_EQ(found.errors.size(), 1U);
  EXPECT_EQ(found.errors[0].code, "duplicate-reviewer");
}

TEST_F(Signed, SignatureOfAnotherConduitIsNoneOfThis) {
  require(1);
  testing::sign_review(g, "camera-time", "anna", kAuthorities);
  const model::Review other = *g.conduits[4].review;
  review().signed_text = other.signed_text;
  review().signatures = other.signatures;
  EXPECT_EQ(verdict().state, State::kVoid);
  EXPECT_TRUE(told("conduit changed from camera-time to office-sees-camera"));
}

TEST_F(Signed, SignatureUnderAnotherReviewersNameIsNone) {
  require(1);
  sign("anna");
  review().signatures[0].by = "bert";
  EXPECT_EQ(verdict().state, State::kVoid);
  EXPECT_TRUE(told("the signature of bert is not over what stands in `signed`"));
}

TEST_F(Signed, KeyThatNobodyListsCountsForNothing) {
  require(1);
  sign("cora");
  g.review_rules.reviewers.pop_back();
  EXPECT_EQ(verdict().state, State::kVoid);
  EXPECT_TRUE(told("cora is no reviewer of control.review"));
}

TEST_F(Signed, TextThatIsMadeToFitIsNotWhatWasSigned) {
  require(1);
  sign("anna");
  g.devices[2].mac = testing::mac("02:00:00:00:20:99");
  review().signed_text = to_text(Resolver(g, kAuthorities).parts_of(g.conduits[kPlace]));
  EXPECT_EQ(verdict().state, State::kVoid);
  EXPECT_TRUE(told("the signature of anna is not over"));
}

TEST_F(Signed, EveryByteOfASignatureCounts) {
  require(1);
  sign("anna");
  const std::string right = review().signatures[0].signature;
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    std::string wrong = right;
    wrong[i] = wrong[i] == 'A' ? 'B' : 'A';
    review().signatures[0].signature = wrong;
    accepted += verdict().state == State::kValid;
  }
  EXPECT_EQ(accepted, 0U);
  for (const char* none : {"", "=", "====", "AAAA", "MAYCAQACAQA=", "MAYCAQECAQE="}) {
    review().signatures[0].signature = none;
    EXPECT_NE(verdict().state, State::kValid) << none;
  }
}

TEST_F(Signed, TextWithoutSignatureAndSignatureWithoutTextDeny) {
  sign("anna");
  const model::Review whole = review();
  review().signatures.clear();
  EXPECT_EQ(verdict().state, State::kUnsigned);
  review() = whole;
  review().signed_text.clear();
  EXPECT_EQ(verdict().state, State::kVoid);
}

TEST_F(Signed, AStrangerBesideEnoughSignaturesIsToldAndDoesNoHarm) {
  require(1);
  sign("anna");
  review().signatures.push_back({"mallory", review().signatures[0].signature});
  EXPECT_EQ(verdict().state, State::kValid);
  ASSERT_FALSE(settled.warnings.empty());
  EXPECT_TRUE(told("mallory is no reviewer"));
}

TEST_F(Signed, WhatDoesNotStandIsCompiledToDenyAndProvenSo) {
  require(1);
  for (const char* name : {"scada-reads-press4", "office-sees-camera"})
    testing::sign_review(g, name, "anna", kAuthorities);
  g.devices[2].mac = testing::mac("02:00:00:00:20:99");  // camera
  settle(g, kAuthorities);
  const auto compiled = testing::compiled(g);
  const auto view = testing::view_of(compiled);
  std::vector<std::string> permitted;
  for (const auto* conduit : *view.root().conduits())
    if (conduit->reviewed()) permitted.push_back(conduit->name()->str());
  EXPECT_EQ(permitted, (std::vector<std::string>{"scada-reads-press4"}));
  EXPECT_TRUE(prove::prove(view, g, std::nullopt).holds());
  g.conduits[kPlace].review->stands = true;
  EXPECT_FALSE(prove::prove(view, g, std::nullopt).holds());
}

TEST_F(Signed, EndsWithThirtyDaysOfGraceOrAtOnce) {
  require(1);
  sign("anna");
  const std::int32_t end = review().expires_day;
  EXPECT_EQ(verdict(std::nullopt).state, State::kValid);
  EXPECT_FALSE(verdict(std::nullopt).days_left);
  EXPECT_EQ(verdict(end).state, State::kValid);
  EXPECT_EQ(verdict(end).days_left, 0);
  EXPECT_EQ(verdict(end + 1).state, State::kEnded);
  EXPECT_EQ(verdict(end + kGraceDays).state, State::kEnded);
  EXPECT_EQ(verdict(end + kGraceDays + 1).state, State::kLapsed);
  g.review_rules.on_expiry = model::OnExpiry::kDeny;
  EXPECT_EQ(verdict(end).state, State::kValid);
  EXPECT_EQ(verdict(end + 1).state, State::kLapsed);
  for (const std::int32_t day : {end, end + 1}) {
    compile::CompileInput input;
    input.today = day;
    settle(g, kAuthorities);
    const auto compiled = testing::compiled(g, input);
    const auto view = testing::view_of(compiled);
    EXPECT_EQ(view.root().conduits()->Get(kPlace)->reviewed(), day == end);
    EXPECT_TRUE(prove::prove(view, g, day).holds());
  }
}

TEST(SignedText, IsReadAsItIsWrittenAndNothingElseIs) {
  model::Gateway g = testing::sample_gateway();
  for (const model::Conduit& c : g.conduits) {
    const Parts parts = Resolver(g, kAuthorities).parts_of(c);
    const std::string text = to_text(parts);
    const auto read = parse_parts(text);
    ASSERT_TRUE(read) << read.error().context;
    EXPECT_EQ(*read, parts);
  }
  for (const char* wrong : {"", "a", "a = ", " = b", "a = b;c = d", "a = b; ", "a = b\n",
                            "a = \"b\"", "a = sha256:00", "a =b"})
    EXPECT_FALSE(parse_parts(wrong)) << wrong;
  EXPECT_FALSE(parse_parts(std::string(kMaxSignedText + 1, 'a')));
  std::string many = "a = b";
  for (std::size_t i = 0; i < kMaxParts; ++i) many += "; a = b";
  EXPECT_FALSE(parse_parts(many));
}

// A reason may say what looks like other parts.
TEST(SignedText, NoValueCanPassForAnotherPart) {
  model::Gateway g = testing::sample_gateway();
  model::Review& review = *g.conduits[kPlace].review;
  for (const char* reason : {"x; service = tcp/1-65535", "x\"", "x\nmac of camera = a", "sha256:x",
                             " x", "x ", "", "a\\", "\xc3\xa4"}) {
    review.reason = reason;
    const Parts parts = Resolver(g, kAuthorities).parts_of(g.conduits[kPlace]);
    const auto read = parse_parts(to_text(parts));
    ASSERT_TRUE(read) << reason;
    EXPECT_EQ(*read, parts) << reason;
  }
}

}  // namespace
}  // namespace sallyport::review
