// For this library's tests: a temporary folder and files in it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace postern::table {

class TestFiles {
  public:
    TestFiles() {
        std::string pattern = "/tmp/postern-table-XXXXXX";
        root_ = mkdtemp(pattern.data());
    }
    ~TestFiles() { std::filesystem::remove_all(root_); }
    TestFiles(const TestFiles&) = delete;
    TestFiles& operator=(const TestFiles&) = delete;

    std::string path(std::string_view name) const { return root_ + "/" + std::string(name); }
    std::string write(std::string_view name, std::string_view text) const {
        std::ofstream(path(name), std::ios::binary) << text;
        return path(name);
    }

  private:
    std::string root_;
};

}  // namespace postern::table
