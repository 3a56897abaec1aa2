// Where the two ends of vhost wires meet.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace sallyport::bench {

// Both ends of a wire have met when it is made; their socket is not needed any longer.
class SocketFolder {
 public:
  SocketFolder() {
    std::string path = std::filesystem::temp_directory_path() / "sallyport-bench-XXXXXX";
    if (::mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~SocketFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  SocketFolder(const SocketFolder&) = delete;
  SocketFolder& operator=(const SocketFolder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace sallyport::bench
