// QueueShape: how much mail waits for each domain, and for how long: the table of qshape(1). Pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace postern::commands {

struct ShapeOptions {
    bool parents = false;            // a line for .example.com too
    std::size_t min_subdomains = 5;  // that such a line needs
    std::size_t buckets = 10;        // columns of age; the last has no limit. 1 at least
    std::uint64_t first_minutes = 5;
    bool linear = false;     // multiples of the first limit, not powers of two
    std::size_t width = 80;  // of a line, domain included
};

class QueueShape {
  public:
    explicit QueueShape(ShapeOptions options);

    // `count` messages or recipients of a domain ("" is the null sender's) that are so old. What
    // has been queued in the future, by the clock, is new.
    void add(std::string_view domain, std::int64_t age_seconds, std::uint64_t count);

    // The heading, a line for all, and one for each domain, the largest first.
    std::string table() const;

  private:
    struct Row {
        std::uint64_t total = 0;
        std::vector<std::uint64_t> ages;
        std::set<std::string> subdomains;  // of a parent
    };
    std::uint64_t limit_of(std::size_t bucket) const;
    std::size_t bucket_of(std::int64_t age_seconds) const;
    void count(Row& row, std::size_t bucket, std::uint64_t count) const;
    std::vector<std::size_t> column_widths() const;
    std::string line(std::string_view name, const std::vector<std::string>& cells,
                     const std::vector<std::size_t>& widths) const;
    std::vector<std::string> cells_of(const Row& row) const;

    const ShapeOptions options_;
    Row all_;
    std::map<std::string, Row, std::less<>> rows_;
};

}  // namespace postern::commands
