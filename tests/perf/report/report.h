// What every bench prints for machines (design.md, section 10), and where and when it was measured.
#pragma once

#include <string>
#include <vector>

namespace sallyport::bench {

struct Peer {
  std::string name;
  double median = 0;
  double ratio = 0;  // of the case's median to this, or the median of ratios pair by pair
};

struct Figure {
  std::string name;  // stable, in the form of `established-ipv4-64b-4k`
  std::string unit;
  double median = 0, min = 0, max = 0;
  double target = 0;
  bool at_most = true;  // the target is a bound from above
  bool met = false;
  std::vector<Peer> peers;
  std::string note;

  // From one value per run; the target must hold for each.
  static Figure of(std::string name, std::string unit, std::vector<double> values, double target,
                   bool at_most);
};

struct Occasion {
  std::string command;  // as a developer would type it
  std::string commit;   // from SALLYPORT_COMMIT, which ./dev sets; "unknown" without
  std::string machine;
  std::string date;  // UTC
};
Occasion occasion(const std::string& bench, int argc, char** argv);

// False when the file cannot be written.
bool write_json(const std::string& path, const Occasion& occasion,
                const std::vector<Figure>& figures);
bool write_text(const std::string& path, const std::string& text);

}  // namespace sallyport::bench
