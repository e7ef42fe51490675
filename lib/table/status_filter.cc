#include "lib/table/status_filter.h"

#include <memory>
#include <optional>
#include <utility>

#include "lib/base/strings.h"
#include "lib/log/log.h"

namespace postern::table {
namespace {

struct StatusAndText {
    std::string_view status, text;
};

// RFC 3463 2: class, subject, detail.
std::optional<StatusAndText> parse_status(std::string_view text) {
    text = trim(text);
    const std::size_t end = text.find_first_of(" \t");
    if (end == std::string_view::npos) return std::nullopt;
    const std::string_view status = text.substr(0, end);
    const auto parts = split(status, '.');
    if (parts.size() != 3 || (parts[0] != "2" && parts[0] != "4" && parts[0] != "5"))
        return std::nullopt;
    for (const std::string_view part : parts) {
        if (part.empty() || part.size() > 3 || part.find_first_not_of("0123456789") != part.npos)
            return std::nullopt;
    }
    return StatusAndText{status, trim(text.substr(end))};
}

}  // namespace

StatusFilter::StatusFilter(std::string_view tables, std::string_view name)
    : maps_(Maps::open(tables, Fold::keep)), name_(name) {
    for (const Error& problem : maps_.problems())
        log::warning("", cat({name_, ": ", problem.what}));
}

std::function<Verdict(Verdict)> StatusFilter::function(std::string_view tables,
                                                       std::string_view name) {
    auto filter = std::make_shared<StatusFilter>(tables, name);
    if (filter->empty()) return {};
    return [filter](Verdict verdict) { return filter->apply(std::move(verdict)); };
}

Verdict StatusFilter::apply(Verdict verdict) {
    if (maps_.empty()) return verdict;
    const auto found = maps_.find(cat({verdict.status, " ", verdict.text}));
    if (found.failed()) {
        log::warning("", cat({name_, ": ", found.error().what}));
        // The table might have wanted the mail to wait.
        if (!verdict.rejected()) return verdict;
        return Verdict::defer("4.3.0", cat({name_, " lookup problem: ", verdict.text}));
    }
    if (!found.found()) return verdict;
    const auto made = parse_status(*found);
    if (!made || (made->status[0] == '2') != verdict.accepted()) {
        log::warning(
            "", cat({name_, ": bad result \"", printable(*found, 200), "\" for \"", verdict.status,
                     " ", printable(verdict.text, 200), "\": a status like ",
                     verdict.accepted() ? "2.1.0" : "4.1.0 or 5.1.0", " and a text are needed"}));
        return verdict;
    }
    Verdict changed;
    changed.kind = made->status[0] == '2'   ? Verdict::Kind::accept
                   : made->status[0] == '4' ? Verdict::Kind::defer
                                            : Verdict::Kind::reject;
    changed.status = made->status;
    changed.text = printable(made->text);
    return changed;
}

}  // namespace postern::table
