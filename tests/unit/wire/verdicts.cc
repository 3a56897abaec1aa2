#include "tests/unit/wire/verdicts.h"

#include <gtest/gtest.h>

#include "tests/support/policy/sample_gateway.h"

namespace sallyport::wire {

void judge(std::span<const Case> cases) {
  const testing::Bytes sample = testing::compiled(testing::sample_gateway()).snapshot;
  ASSERT_EQ(testing::verdict(testing::draft_of(sample)), kAccepted);
  for (const Case& c : cases) {
    testing::Draft draft = testing::draft_of(sample);
    c.change(draft);
    const std::string says = testing::verdict(draft);
    EXPECT_NE(says.find(c.says), std::string::npos) << c.name << ": " << says;
    EXPECT_TRUE(says == kAccepted || says.starts_with("snapshot-bad-meaning: ")) << c.name;
  }
}

}  // namespace sallyport::wire
