#include "tests/perf/report/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace sallyport::bench {

namespace {

constexpr double kWidth = 860, kHeight = 440;
constexpr double kLeft = 60, kRight = 210, kTop = 40, kBottom = 50;
constexpr int kTicks = 5;
// Okabe and Ito's eight, told apart by the colour-blind as well.
constexpr std::array kColours{"#d55e00", "#0072b2", "#009e73", "#cc79a7",
                              "#e69f00", "#56b4e9", "#8c6d31", "#555555"};

struct Scale {
  double x_max, y_max;
  double x(double v) const {
    return kLeft + std::min(v, x_max) / x_max * (kWidth - kLeft - kRight);
  }
  double y(double v) const {
    return kHeight - kBottom - std::min(v, y_max) / y_max * (kHeight - kTop - kBottom);
  }
};

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string text_at(double x, double y, const char* anchor, const std::string& text,
                    const char* more = "") {
  return fmt::format("<text x=\"{:.0f}\" y=\"{:.0f}\" text-anchor=\"{}\"{}>{}</text>\n", x, y,
                     anchor, more, escaped(text));
}

std::string axes(const Chart& chart, const Scale& scale) {
  std::string out;
  for (int i = 0; i <= kTicks; ++i) {
    const double x = chart.x_max * i / kTicks;
    const double y = chart.y_max * i / kTicks;
    out += fmt::format(
        "<path d=\"M{:.1f} {:.1f}V{:.1f}M{:.1f} {:.1f}H{:.1f}\" stroke=\"#ddd\" fill=\"none\"/>\n",
        scale.x(x), kTop, kHeight - kBottom, kLeft, scale.y(y), kWidth - kRight);
    out += text_at(scale.x(x), kHeight - kBottom + 18, "middle", fmt::format("{:g}", x));
    out += text_at(kLeft - 8, scale.y(y) + 4, "end", fmt::format("{:g}", y));
  }
  out += text_at((kLeft + kWidth - kRight) / 2, kHeight - 12, "middle", chart.x_label);
  const double middle = (kTop + kHeight - kBottom) / 2;
  out += text_at(16, middle, "middle", chart.y_label,
                 fmt::format(" transform=\"rotate(-90 16 {:.0f})\"", middle).c_str());
  return out;
}

// Points that lie on the line between their neighbours add nothing but bytes.
std::vector<std::pair<double, double>> thinned(const Line& line, const Scale& scale) {
  std::vector<std::pair<double, double>> out;
  for (const auto& [px, py] : line.points) {
    const std::pair<double, double> at{scale.x(px), scale.y(py)};
    if (out.size() >= 2) {
      const auto& [ax, ay] = out[out.size() - 2];
      const auto& [bx, by] = out.back();
      const double across = (bx - ax) * (at.second - ay) - (by - ay) * (at.first - ax);
      const double length = std::hypot(at.first - ax, at.second - ay);
      if (length > 0 && std::abs(across) / length < 0.2) {
        out.back() = at;
        continue;
      }
    }
    out.push_back(at);
    if (px >= scale.x_max) break;
  }
  return out;
}

std::string drawn(const Line& line, const Scale& scale, std::size_t nth) {
  const std::string style =
      fmt::format("stroke=\"{}\" stroke-width=\"{}\"{}", kColours[nth % kColours.size()],
                  line.bold ? "3" : "1.6", line.dashed ? " stroke-dasharray=\"6 4\"" : "");
  std::string path;
  for (const auto& [x, y] : thinned(line, scale))
    path += fmt::format("{}{:.1f} {:.1f}", path.empty() ? "M" : "L", x, y);
  const double y = kTop + 16 + static_cast<double>(nth) * 22;
  return fmt::format("<path d=\"{}\" fill=\"none\" {}/>\n", path, style) +
         fmt::format("<path d=\"M{:.0f} {:.0f}h26\" {}/>\n", kWidth - kRight + 14, y, style) +
         text_at(kWidth - kRight + 46, y + 4, "start", line.name);
}

}  // namespace

std::string Chart::svg() const {
  const Scale scale{x_max, y_max};
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
      "font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n"
      "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" fill=\"#fff\"/>\n",
      kWidth, kHeight);
  out += text_at(kLeft, 24, "start", title, " font-size=\"15\"");
  out += axes(*this, scale);
  for (std::size_t i = 0; i < lines.size(); ++i) out += drawn(lines[i], scale, i);
  return out + "</svg>\n";
}

}  // namespace sallyport::bench
