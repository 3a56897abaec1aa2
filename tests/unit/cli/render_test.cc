#include "control/cli/render.h"

#include <gtest/gtest.h>

namespace sallyport::control {
namespace {

using nlohmann::ordered_json;

TEST(Render, ArrayOfObjectsIsATableWithNamesFirstAndLongTextsLast) {
  const auto rows = ordered_json::parse(
      R"([{"detail":"x y","mac":"02:00","name":"press4"},{"name":"m","addresses":["a","b"]}])");
  EXPECT_EQ(render(rows, {}),
            "name    mac    addresses  detail\n"
            "press4  02:00  -          x y\n"
            "m       -      a, b       -\n");
}

TEST(Render, ObjectAroundOneListIsThatList) {
  EXPECT_EQ(render(ordered_json::parse(R"({"flows":[]})"), {}), "nothing\n");
}

TEST(Render, ObjectIsLinesAndItsTablesFollow) {
  EXPECT_EQ(
      render(ordered_json::parse(R"({"packets":7,"ports":[{"port":"wan","rx":1}],"on":true})"), {}),
      "packets  7\non       yes\n\nports:\nport  rx\nwan   1\n");
}

TEST(Render, ControlBytesNeverReachATerminal) {
  const ordered_json row = {{"name", "a\x1b[2Jb\nc"}};
  const std::string out = render(ordered_json::array({row}), {});
  EXPECT_EQ(out.find('\x1b'), std::string::npos);
  EXPECT_EQ(out, "name\na [2Jb c\n");
}

TEST(Render, TimesAreDates) {
  EXPECT_EQ(render(ordered_json::parse(R"([{"time":1793491200}])"), {}),
            "time\n2026-11-01 00:00:00 UTC\n");
}

TEST(Render, ColoursOnlyWhenAsked) {
  EXPECT_EQ(good("x", {}), "x");
  EXPECT_EQ(good("x", {.colour = true}), "\033[32mx\033[0m");
}

}  // namespace
}  // namespace sallyport::control
