#include "lib/queue/command_verdict.h"

#include <sysexits.h>

#include <algorithm>

#include "lib/base/strings.h"

namespace postern::queue {
namespace {

constexpr std::size_t kShownOutput = 300;  // of what a command says, in texts of limited length

struct ExitMeaning {
    int exit_status;
    std::string_view status, text;
};

constexpr ExitMeaning kMeanings[] = {
    {EX_USAGE, "5.3.0", "command line usage error"},
    {EX_DATAERR, "5.6.0", "data format error"},
    {EX_NOINPUT, "5.3.0", "cannot open input"},
    {EX_NOUSER, "5.1.1", "user unknown"},
    {EX_NOHOST, "5.1.2", "host name unknown"},
    {EX_UNAVAILABLE, "5.3.0", "service unavailable"},
    {EX_SOFTWARE, "5.3.0", "internal software error"},
    {EX_OSERR, "4.3.0", "system resource problem"},
    {EX_OSFILE, "5.3.0", "critical OS file missing"},
    {EX_CANTCREAT, "5.2.0", "can't create user output file"},
    {EX_IOERR, "5.3.0", "input/output error"},
    {EX_TEMPFAIL, "4.3.0", "temporary failure"},
    {EX_PROTOCOL, "5.5.0", "remote error in protocol"},
    {EX_NOPERM, "5.7.0", "permission denied"},
    {EX_CONFIG, "5.3.5", "local configuration error"},
};

Verdict by_class(std::string_view status, std::string_view text) {
    return status.front() == '4' ? Verdict::defer(status, text) : Verdict::reject(status, text);
}

// The enhanced status code that a failed command's output begins with. RFC 3463 2.
std::string_view status_code(std::string_view output) {
    const auto code = output.substr(0, output.find(' '));
    const auto parts = split(code, '.');
    if (parts.size() != 3 || (parts[0] != "4" && parts[0] != "5")) return {};
    const bool numbers = std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
        return part.size() <= 3 && parse_number<unsigned>(part).has_value();
    });
    return numbers ? code : std::string_view();
}

// One line of it, without control characters.
std::string one_line(std::string_view output) {
    std::string line(trim(output.substr(0, kShownOutput * 2)));
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\n' || c == '\t' || c == '\r'; }, ' ');
    return printable(line, kShownOutput);
}

}  // namespace

Verdict command_verdict(const Result<sys::CommandResult>& result, std::string_view shown,
                        std::string_view delivered) {
    if (!result) return Verdict::defer("4.3.0", "unable to run command: " + result.error().what);
    const std::string output = one_line(result->output);
    const std::string tail = output.empty() ? "" : ". Command output: " + output;
    const std::string quoted = cat({"\"", printable(shown, kShownOutput), "\"", tail});
    if (result->timed_out)
        return Verdict::reject("5.3.0", "Command time limit exceeded: " + quoted);
    if (result->signal != 0) {
        return Verdict::defer("4.3.0", cat({"Command died with signal ",
                                            std::to_string(result->signal), ": ", quoted}));
    }
    if (result->exit_status == 0) {
        return Verdict::accept(
            "2.0.0", output.empty() ? std::string(delivered) : cat({delivered, " (", output, ")"}));
    }
    if (const auto code = status_code(output); !code.empty()) {
        const auto said = trim(std::string_view(output).substr(code.size()));
        return by_class(code, said.empty() ? std::string_view("command failed") : said);
    }
    for (const auto& meaning : kMeanings) {
        if (meaning.exit_status == result->exit_status)
            return by_class(meaning.status, cat({meaning.text, tail}));
    }
    return Verdict::reject("5.3.0", cat({"Command died with status ",
                                         std::to_string(result->exit_status), ": ", quoted}));
}

}  // namespace postern::queue
