// A line chart as SVG text: enough for "share over time", readable in a browser in light and dark.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace sallyport::bench {

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;
  bool dashed = false;
  bool bold = false;
};

struct Chart {
  std::string title;
  std::string x_label, y_label;
  double x_max = 1, y_max = 1;
  std::vector<Line> lines;

  std::string svg() const;
};

}  // namespace sallyport::bench
