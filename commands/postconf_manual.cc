// postconf(5) from the rows of lib/config/params.
#include "commands/postconf.h"
#include "lib/base/strings.h"
#include "lib/config/params.h"
#include "lib/config/value.h"

namespace postern::commands {
namespace {

constexpr std::string_view kTypeNames[] = {"time", "size", "number", "yes or no",      "text",
                                           "list", "path", "choice", "list of tables", "template"};

// Text as troff wants it: no line begins with a control character, no backslash acts.
std::string escape(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); i++) {
        bool line_start = i == 0 || text[i - 1] == '\n';
        if (line_start && (text[i] == '.' || text[i] == '\'')) out += "\\&";
        if (text[i] == '\\') {
            out += "\\e";
        } else if (text[i] == '-') {
            out += "\\-";
        } else if (text.substr(i, 3) == "\xe2\x80\xa6") {  // …
            out += "...";
            i += 2;
        } else {
            out += text[i];
            if (text[i] == ',') out += "\\:";  // a long list may be broken here
        }
    }
    return out;
}

std::string limits_text(const config::Row& row) {
    const config::Limits& limits = row.limits;
    if (!limits.choices.empty()) return cat({"One of: ", limits.choices, "."});
    std::string_view unit = row.type == config::Type::Seconds ? "s" : "";
    if (limits.max != INT64_MAX) {
        return cat({"From ", std::to_string(limits.min), unit, " to ", std::to_string(limits.max),
                    unit, "."});
    }
    return limits.min == 0 ? "" : cat({"At least ", std::to_string(limits.min), unit, "."});
}

std::string default_text(const config::Row& row) {
    if (row.default_text == config::kComputed) return "found out at run time";
    return row.default_text.empty() ? "empty" : std::string(row.default_text);
}

constexpr std::string_view kHead = R"(.TH POSTCONF 5 "" Postern ""
.ad l
.nh
.SH NAME
postconf \- Postern configuration parameters
.SH SYNOPSIS
.B postconf
.I parameter
\&...
.br
.B postconf \-e
.IR parameter = value
\&...
.SH DESCRIPTION
The file
.I main.cf
sets parameters, one a line:
.IP
.IR name " = " value
.PP
A line that begins with white space continues the one before it. Empty lines, and lines whose first
visible character is #, are ignored. When a name is set twice, the last line counts.
.PP
In values the following is replaced:
.TP
.BR $ \fIname\fP ", " ${ \fIname\fP "}, " $( \fIname\fP )
The value of that parameter, which may be one that you made up.
.TP
.BR ${ \fIname\fP ?{ \fIa\fP }:{ \fIb\fP }}
.I a
when the parameter's value is not empty, otherwise
.IR b .
.BR ${ \fIname\fP ? \fIa\fP }
is
.I a
or nothing;
.BR ${ \fIname\fP : \fIa\fP }
is
.I a
when the value is empty.
.TP
.BR ${{ \fIa\fP "} == {" \fIb\fP "} ? {" \fIc\fP "} : {" \fId\fP }}
.I c
or
.IR d ,
depending on the comparison: ==, !=, <, <=, >, >=, and the same with
.B level
after it, for version numbers.
.TP
.B $$
A dollar sign.
.PP
A time is a whole number with a unit: ms, s, m, h, d or w. Without one it takes the unit of the default.
A list is separated by commas or white space; braces keep one of its words together.
.PP
Some parameters exist once for every delivery transport of
.BR master (5),
with the transport's name in front:
.IR transport _destination_concurrency_limit,
.IR transport _destination_recipient_limit,
.IR transport _destination_rate_delay,
.IR transport _transport_rate_delay.
Their default is the parameter with default_ in front.
.PP
Each parameter says which programs honour it. One is said to have no effect when it is known for the sake of
Postfix's configuration files, but this mail system has no use for it (its text says why), and not to be
honoured yet when it does nothing so far: master warns of it when it is set.
.SH PARAMETERS
)";

constexpr std::string_view kTail = R"(.SH FILES
.I main.cf
in the configuration directory
.SH SEE ALSO
.BR postconf (1),
.BR master (5),
.BR postern (1)
)";

// "Honoured by smtpd, policy." and the like.
std::string standing_sentence(const config::Row& row) {
    if (row.standing == config::Standing::no_effect) return "No effect.";
    if (row.standing == config::Standing::not_yet) return "Not honoured yet.";
    std::string_view programs = config::readers(row);
    if (programs == "all") return "Honoured by every program.";
    if (programs == "$name") return "Honoured where other values mention it.";
    std::string out = "Honoured by ";
    for (std::string_view program : split_words(programs))
        out += cat({out.ends_with("by ") ? "" : ", ", program});
    return out + ".";
}

}  // namespace

std::string make_manual() {
    std::string out = ".\\\" Made by postconf --manual from lib/config/params; do not edit.\n";
    out += kHead;
    for (std::uint16_t id : config::rows_by_name()) {
        const config::Row& row = config::rows()[id];
        out += cat({".TP\n.BR \"", escape(row.name), "\" \" (",
                    kTypeNames[static_cast<std::size_t>(row.type)],
                    "; default: ", escape(default_text(row)), ")\"\n"});
        out += cat({escape(trim(row.documentation)), "\n", escape(standing_sentence(row)), "\n"});
        std::string limits = limits_text(row);
        if (!limits.empty()) out += cat({escape(limits), "\n"});
    }
    out += kTail;
    return out;
}

std::optional<std::string> describe(std::string_view name) {
    const config::Row* row = config::find_row(name);
    if (row == nullptr) return std::nullopt;
    std::string limits = limits_text(*row);
    return cat({row->name, " (", kTypeNames[static_cast<std::size_t>(row->type)],
                "; default: ", default_text(*row), ")\n", trim(row->documentation), "\n",
                standing_sentence(*row), "\n", limits, limits.empty() ? "" : "\n"});
}

}  // namespace postern::commands
