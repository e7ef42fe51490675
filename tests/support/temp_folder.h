// TempFolder: a fresh folder that is removed with everything in it.
#pragma once

#include <string>

namespace postern::support {

class TempFolder {
  public:
    TempFolder();
    ~TempFolder();
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    const std::string& path() const { return path_; }
    std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  private:
    std::string path_;
};

// Removes path and what is below it; does not follow symbolic links.
void remove_tree(const std::string& path);

}  // namespace postern::support
