// Runs a fuzz target over its seed corpus, for `make check`: every file of the folder in fuzz/corpus that
// has the program's name (or of the folders given as arguments). Silent; exit status 0 unless the target
// crashes or there is nothing to run.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;

bool run_file(const std::string& path) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) return false;
    std::vector<std::uint8_t> bytes;
    std::uint8_t piece[4096];
    std::size_t got = 0;
    while ((got = std::fread(piece, 1, sizeof piece, file.get())) > 0) {
        bytes.insert(bytes.end(), piece, piece + got);
    }
    LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    return true;
}

int run_folder(const std::string& folder) {
    int count = 0;
    std::error_code error;
    for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
        if (entry.is_regular_file() && run_file(entry.path().string())) ++count;
    }
    return count;
}

}  // namespace

int main(int argc, char** argv) {
    int count = 0;
    for (int i = 1; i < argc; ++i) {
        if (argv[i][0] != '-') count += run_folder(argv[i]);  // tools/run-tests passes gtest options
    }
    if (count == 0) count = run_folder(fs::path(POSTERN_CORPORA) / fs::path(argv[0]).filename());
    return count > 0 ? 0 : 1;
}
