// For the tests of this folder: a temporary Maildir and ways to act as a foreign program on it.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "lib/mailbox/store.h"

namespace postern::mailbox {

class TestMaildir {
  public:
    TestMaildir() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "postern-mailbox-XXXXXX").string();
        root_ = std::string(::mkdtemp(pattern.data())) + "/Maildir";
    }
    ~TestMaildir() { std::filesystem::remove_all(std::filesystem::path(root_).parent_path()); }
    TestMaildir(const TestMaildir&) = delete;
    TestMaildir& operator=(const TestMaildir&) = delete;

    const std::string& root() const { return root_; }
    Store store() { return Store::open(root_).value(); }
    Mailbox inbox() { return store().mailbox("INBOX").value(); }

    // What a foreign program does.
    void put(const std::string& path, const std::string& text) {
        std::ofstream(root_ + "/" + path) << text;
    }
    void move(const std::string& from, const std::string& to) {
        std::filesystem::rename(root_ + "/" + from, root_ + "/" + to);
    }
    void remove(const std::string& path) { std::filesystem::remove(root_ + "/" + path); }
    std::vector<std::string> files(const std::string& directory) {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(root_ + "/" + directory))
            names.push_back(entry.path().filename().string());
        std::sort(names.begin(), names.end());
        return names;
    }
    std::string text(const std::string& path) {
        std::ifstream file(root_ + "/" + path);
        return {std::istreambuf_iterator<char>(file), {}};
    }

  private:
    std::string root_;
};

inline AppendMessage append_text(std::string text, SystemFlags flags = 0,
                                 std::vector<std::string> keywords = {}, std::int64_t date = 0) {
    return {[text = std::move(text)](MessageWriter& writer) { return writer.write(text); }, flags,
            std::move(keywords), date};
}

inline std::vector<Uid> uids_of(const View& view) {
    std::vector<Uid> uids;
    for (std::uint32_t seq = 1; seq <= view.count(); ++seq) uids.push_back(view.message(seq).uid);
    return uids;
}

}  // namespace postern::mailbox
