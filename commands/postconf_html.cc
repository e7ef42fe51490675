// postconf(5) as one HTML page, from the rows of lib/config/params.
#include "lib/base/strings.h"
#include "lib/config/params.h"

#include "commands/parameter_text.h"
#include "commands/postconf.h"

namespace postern::commands {
namespace {

std::string html_text(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            case '"': out += "&quot;"; break;
            default: out += c;
        }
    }
    return out;
}

constexpr std::string_view kPageHead = R"(<!DOCTYPE html>
<!-- Made by postconf --html-manual from lib/config/params; do not edit. -->
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Postern configuration parameters</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 50em; margin: 2em auto; padding: 0 1em; }
dt { font-weight: bold; margin-top: 1.5em; }
dt small { font-weight: normal; }
code { font-size: 95%; overflow-wrap: anywhere; }
.standing { color: #555; }
#index { columns: 18em; list-style: none; padding: 0; font-size: 90%; }
</style>
</head>
<body>
<h1>Postern configuration parameters</h1>
<p>They are set in <code>main.cf</code>, one a line: <code>name = value</code>. The manual page postconf(5)
tells how values are written; <code>postconf</code> shows and changes them.</p>
)";

}  // namespace

std::string make_html_manual() {
    std::string index = "<ul id=\"index\">\n", rows = "<dl>\n";
    for (const std::uint16_t id : config::rows_by_name()) {
        const config::Row& row = config::rows()[id];
        const ParameterText text = text_of(row);
        const std::string name = html_text(row.name);
        index += cat({"<li><a href=\"#", name, "\">", name, "</a></li>\n"});
        rows += cat({"<dt id=\"", name, "\"><code>", name, "</code> <small>(", text.type,
                     "; default: <code>", html_text(text.default_value), "</code>)</small></dt>\n",
                     "<dd>", html_text(text.documentation), "\n<span class=\"standing\">",
                     html_text(text.standing), text.limits.empty() ? "" : " ",
                     html_text(text.limits), "</span></dd>\n"});
    }
    return cat({kPageHead, index, "</ul>\n", rows, "</dl>\n</body>\n</html>\n"});
}

}  // namespace postern::commands
