// Cache: until when each client counts as having passed each test (postscreen_cache_map). Entries
// have Postfix's form, so that its file goes on being used: the client's address, and five times
// with ';' between them. New results are kept in memory and written together, every few seconds
// and at the end; nothing is lost with them but a test that is made again.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "lib/table/map_file.h"

namespace postern::postscreen {

enum class Trial : unsigned char { greet, lists, pipelining, non_smtp, bare_newline, kCount };
constexpr std::size_t kTests = static_cast<std::size_t>(Trial::kCount);

// Seconds since 1970; 0: not passed.
struct Passed {
    std::array<std::int64_t, kTests> until{};

    std::int64_t& of(Trial test) { return until[static_cast<std::size_t>(test)]; }
    std::int64_t of(Trial test) const { return until[static_cast<std::size_t>(test)]; }
    std::string str() const;
    static std::optional<Passed> parse(std::string_view text);
};

class Cache {
  public:
    static constexpr std::size_t kMaxUnwritten = 50'000;

    // "btree:/var/lib/postfix/postscreen_cache"; empty: memory only. Errc::invalid for a type that
    // cannot be changed while it is read.
    static Result<Cache> open(std::string_view map);

    Passed find(const std::string& client);
    void store(const std::string& client, const Passed& passed);
    bool unwritten() const { return type_.has_value() && !fresh_.empty(); }
    // To the file. What cannot be written stays for the next time.
    Result<void> write();
    // Removes what expired before `oldest`; how many stay and go.
    struct Cleaned {
        std::size_t kept = 0, removed = 0;
    };
    Result<Cleaned> clean(std::int64_t oldest);

  private:
    Result<std::unique_ptr<table::MapFile>> open_to_write();

    std::optional<table::MapType> type_;
    std::string path_;
    std::unique_ptr<table::MapFile> reader_;
    std::unordered_map<std::string, Passed> fresh_;
};

}  // namespace postern::postscreen
