#include "commands/queue_shape.h"

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::commands {
namespace {

constexpr std::size_t kMinNameWidth = 8;
constexpr std::size_t kMinCellWidth = 3;  // with the space before it

std::string pad_left(std::string text, std::size_t width) {
    return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

}  // namespace

QueueShape::QueueShape(ShapeOptions options) : options_(options) {
    all_.ages.resize(options_.buckets);
}

// In minutes; of all but the last bucket.
std::uint64_t QueueShape::limit_of(std::size_t bucket) const {
    if (options_.linear) return options_.first_minutes * (bucket + 1);
    return bucket < 40 ? options_.first_minutes << bucket : UINT64_MAX;
}

std::size_t QueueShape::bucket_of(std::int64_t age_seconds) const {
    const auto age = static_cast<std::uint64_t>(std::max<std::int64_t>(age_seconds, 0));
    std::size_t bucket = 0;
    while (bucket + 1 < options_.buckets && age / 60 >= limit_of(bucket)) ++bucket;
    return bucket;
}

void QueueShape::count(Row& row, std::size_t bucket, std::uint64_t count) const {
    row.ages.resize(options_.buckets);
    row.ages[bucket] += count;
    row.total += count;
}

void QueueShape::add(std::string_view domain, std::int64_t age_seconds, std::uint64_t number) {
    const std::string name = domain.empty() ? "MAILER-DAEMON" : to_lower(printable(domain));
    const std::size_t bucket = bucket_of(age_seconds);
    count(all_, bucket, number);
    count(rows_[name], bucket, number);
    if (!options_.parents) return;
    // Top-level domains get no line.
    for (auto dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
        const std::string parent = name.substr(dot);
        if (parent.find('.', 1) == std::string::npos) return;
        Row& row = rows_[parent];
        count(row, bucket, number);
        row.subdomains.insert(name);
    }
}

std::vector<std::string> QueueShape::cells_of(const Row& row) const {
    std::vector<std::string> cells{std::to_string(row.total)};
    for (const auto number : row.ages) cells.push_back(std::to_string(number));
    return cells;
}

// The line for all has the largest numbers.
std::vector<std::size_t> QueueShape::column_widths() const {
    std::vector<std::size_t> widths;
    for (const auto& cell : cells_of(all_)) widths.push_back(std::max(cell.size() + 1, kMinCellWidth));
    for (std::size_t i = 0; i < options_.buckets; ++i) {
        const bool last = i + 1 == options_.buckets;
        const std::uint64_t limit = last ? (i == 0 ? 0 : limit_of(i - 1)) : limit_of(i);
        const std::size_t heading = std::to_string(limit).size() + (last ? 1U : 0U);
        widths[i + 1] = std::max(widths[i + 1], heading + 1);
    }
    return widths;
}

std::string QueueShape::line(std::string_view name, const std::vector<std::string>& cells,
                             const std::vector<std::size_t>& widths) const {
    std::size_t room = options_.width;
    for (const auto width : widths) room -= std::min(room, width);
    room = std::max(room, kMinNameWidth);
    std::string shown(name);
    if (shown.size() > room) shown = "+" + shown.substr(shown.size() - room + 1);
    std::string out = pad_left(std::move(shown), room);
    for (std::size_t i = 0; i < cells.size(); ++i) out += pad_left(cells[i], widths[i]);
    return out + '\n';
}

std::string QueueShape::table() const {
    const auto widths = column_widths();
    std::vector<std::string> heading{"T"};
    for (std::size_t i = 0; i + 1 < options_.buckets; ++i)
        heading.push_back(std::to_string(limit_of(i)));
    heading.push_back(options_.buckets > 1 ? std::to_string(limit_of(options_.buckets - 2)) + "+"
                                           : "0+");
    std::string out = line("", heading, widths) + line("TOTAL", cells_of(all_), widths);

    std::vector<const std::pair<const std::string, Row>*> sorted;
    for (const auto& row : rows_) {
        const bool parent = row.first.starts_with('.');
        if (!parent || row.second.subdomains.size() >= options_.min_subdomains)
            sorted.push_back(&row);
    }
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](auto* a, auto* b) { return a->second.total > b->second.total; });
    for (const auto* row : sorted) out += line(row->first, cells_of(row->second), widths);
    return out;
}

}  // namespace postern::commands
