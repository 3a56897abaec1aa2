#include "control/cli/diff.h"

#include <gtest/gtest.h>

namespace sallyport::control {
namespace {

TEST(Diff, SameTextsHaveNone) { EXPECT_EQ(unified_diff("a\nb\n", "a\nb\n", "x", "y"), ""); }

TEST(Diff, OneChangedLineHasThreeLinesOfContext) {
  EXPECT_EQ(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "x", "y"),
            "--- x\n+++ y\n@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
}

TEST(Diff, DistantChangesAreSeparateHunks) {
  std::string before;
  std::string after;
  for (int i = 1; i <= 30; ++i) {
    before += std::to_string(i) + "\n";
    after += (i == 3 ? "three" : i == 25 ? "" : std::to_string(i)) + (i == 25 ? "" : "\n");
  }
  const std::string out = unified_diff(before, after, "x", "y");
  EXPECT_NE(out.find("@@ -1,6 +1,6 @@"), std::string::npos) << out;
  EXPECT_NE(out.find("@@ -22,7 +22,6 @@"), std::string::npos) << out;
}

TEST(Diff, FromNothingEverythingIsAdded) {
  EXPECT_EQ(unified_diff("", "a\nb\n", "x", "y"), "--- x\n+++ y\n@@ -1,0 +1,2 @@\n+a\n+b\n");
}

TEST(Diff, HugeTextsAreStillAnswered) {
  std::string before;
  std::string after;
  for (std::size_t i = 0; i < kMaxDiffLines + 10; ++i) {
    before += "a" + std::to_string(i) + "\n";
    after += "b" + std::to_string(i) + "\n";
  }
  EXPECT_NE(unified_diff(before, after, "x", "y").find("+b0"), std::string::npos);
}

}  // namespace
}  // namespace sallyport::control
