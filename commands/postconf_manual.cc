// postconf(5) from the rows of lib/config/params.
#include "lib/base/strings.h"
#include "lib/config/params.h"

#include "commands/parameter_text.h"
#include "commands/postconf.h"

namespace postern::commands {
namespace {

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

}  // namespace

std::string make_manual() {
    std::string out = ".\\\" Made by postconf --manual from lib/config/params; do not edit.\n";
    out += kHead;
    for (std::uint16_t id : config::rows_by_name()) {
        const config::Row& row = config::rows()[id];
        const ParameterText text = text_of(row);
        out += cat({".TP\n.BR \"", escape(row.name), "\" \" (", text.type,
                    "; default: ", escape(text.default_value), ")\"\n"});
        out += cat({escape(text.documentation), "\n", escape(text.standing), "\n"});
        if (!text.limits.empty()) out += cat({escape(text.limits), "\n"});
    }
    out += kTail;
    return out;
}

std::optional<std::string> describe(std::string_view name) {
    const config::Row* row = config::find_row(name);
    if (row == nullptr) return std::nullopt;
    const ParameterText text = text_of(*row);
    return cat({row->name, " (", text.type, "; default: ", text.default_value, ")\n",
                text.documentation, "\n", text.standing, "\n", text.limits,
                text.limits.empty() ? "" : "\n"});
}

}  // namespace postern::commands
