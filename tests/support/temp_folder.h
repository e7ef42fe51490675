// TempFolder: a fresh folder that is removed with everything in it.
#pragma once

#include <string>

namespace postern::support {

class TempFolder {
  public:
    // memory: on a tmpfs where there is one, for tests that make hundreds.
    enum class Where : unsigned char { disk, memory };
    explicit TempFolder(Where where = Where::disk);
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
