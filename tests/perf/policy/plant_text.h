// Configurations of any size as text, made of what real ones are made of: devices in several
// segments on the ports of the lab's gateway, conduits between devices, to servers beyond the
// uplink, terminated in both directions. The same numbers give the same text.
//
// Pure.
#pragma once

#include <cstddef>
#include <string>

namespace sallyport::bench {

struct PlantSize {
  std::size_t segments = 4;  // beside the uplink; at most 90
  std::size_t devices = 100;
  std::size_t conduits = 300;
  // Conduits of which this many carry everything from one segment to another: what makes tables
  // large, since every device that another conduit names is told apart on both sides.
  std::size_t between_segments = 0;
  std::size_t variant = 0;  // changes one conduit's port
};

std::string plant_text(const PlantSize& size);

}  // namespace sallyport::bench
