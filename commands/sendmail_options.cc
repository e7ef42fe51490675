#include "commands/sendmail_options.h"

#include <algorithm>
#include <optional>

#include "lib/base/strings.h"
#include "lib/mail/xtext.h"
#include "lib/queue/envelope.h"

namespace postern::commands {
namespace {

using Mode = SendmailOptions::Mode;

Error usage() { return {Errc::temporary, "usage: sendmail [options]"}; }
Error misuse(std::string_view text) { return {Errc::invalid, std::string(text)}; }

// "<a@b>" and "a@b" are the same to users.
std::string without_brackets(std::string_view address) {
    if (address.size() >= 2 && address.front() == '<' && address.back() == '>')
        address = address.substr(1, address.size() - 2);
    return std::string(address);
}

// Options that take an argument; "q" and those of the o family carry theirs in the same word.
constexpr std::string_view kWithArgument = "ABCFLNORVXbefhopqr";
constexpr std::string_view kWithout = "GIUaimncstvx";

class Parser {
  public:
    explicit Parser(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {}

    Result<SendmailOptions> run() {
        name_mode();
        bool options_end = false;
        for (at_ = 1; at_ < arguments_.size(); ++at_) {
            const std::string word = arguments_[at_];
            if (options_end || word.size() < 2 || word[0] != '-') {
                o_.envelope.recipients.push_back(word);
            } else if (word == "--") {
                options_end = true;
            } else {
                TRY(option_word(word));
            }
        }
        return std::move(o_);
    }

  private:
    void name_mode() {
        if (arguments_.empty()) return;
        const std::string& path = arguments_[0];
        const std::string name = path.substr(path.rfind('/') + 1);
        if (name == "mailq") o_.mode = Mode::list_queue;
        if (name == "newaliases") o_.mode = Mode::new_aliases;
        if (name == "smtpd") o_.mode = Mode::start;
    }

    // One word, "-it" or "-fsender": letters until one takes the rest, or the next word, as its
    // argument.
    Result<void> option_word(const std::string& word) {
        for (std::size_t i = 1; i < word.size(); ++i) {
            const char letter = word[i];
            if (kWithout.find(letter) != std::string_view::npos) {
                plain(letter);
                continue;
            }
            if (kWithArgument.find(letter) == std::string_view::npos) return usage();
            std::string value = word.substr(i + 1);
            // -q and -v style options of Sendmail: the argument is optional and never the next
            // word.
            if (value.empty() && letter != 'q') {
                if (at_ + 1 >= arguments_.size()) return usage();
                value = arguments_[++at_];
            }
            return with_argument(letter, value);
        }
        return {};
    }

    void plain(char letter) {
        switch (letter) {
            case 'I': o_.mode = Mode::new_aliases; break;
            case 'i': o_.dot_ends = false; break;
            case 't': o_.recipients_from_header = true; break;
            case 'v':
                o_.report = ++o_.verbose == 1;  // as Postfix: more of them are for debugging
                break;
            default: break;  // accepted for Sendmail's sake
        }
    }

    Result<void> with_argument(char letter, const std::string& value) {
        queue::MaildropEnvelope& e = o_.envelope;
        switch (letter) {
            case 'B':
                e.body_8bit = iequals(value, "8BITMIME");
                if (!e.body_8bit && !iequals(value, "7BIT"))
                    return misuse("-B: 7BIT or 8BITMIME expected");
                return {};
            case 'C':
                o_.config_directory =
                    value.ends_with(".cf") ? value.substr(0, value.rfind('/')) : value;
                return {};
            case 'F': e.full_name = value; return {};
            case 'f':
            case 'r':
                e.sender = without_brackets(value);
                o_.sender_given = true;
                return {};
            case 'N': return notify(value);
            case 'R':
                if (!iequals(value, "full") && !iequals(value, "hdrs"))
                    return misuse("bad -R option value: \"full\" or \"hdrs\" expected");
                e.ret = to_lower(value);
                return {};
            case 'V': return envelope_id(value);
            case 'X':
                if (value.starts_with('V')) o_.verp = value.substr(1);
                return {};
            case 'b': return mode(value);
            case 'o': return old_option(value);
            case 'q': return queue_run(value);
            default: return {};  // accepted for Sendmail's sake: -A -L -O -e -h -p
        }
    }

    // RFC 3461 4.4: kept as xtext, at most 100 characters.
    Result<void> envelope_id(const std::string& value) {
        constexpr std::size_t kMaxEnvid = 100;
        const std::string coded = mail::xtext_encode(value);
        if (coded.empty() || coded.size() > kMaxEnvid || !mail::is_printable_xtext(coded))
            return misuse("bad -V option value: up to 100 printable characters expected");
        o_.envelope.envid = coded;
        return {};
    }

    // RFC 3461 4.1.
    Result<void> notify(const std::string& value) {
        int bits = 0;
        for (const std::string_view word : split(value, ',')) {
            if (iequals(word, "never"))
                bits |= queue::kNotifyNever;
            else if (iequals(word, "success"))
                bits |= queue::kNotifySuccess;
            else if (iequals(word, "failure"))
                bits |= queue::kNotifyFailure;
            else if (iequals(word, "delay"))
                bits |= queue::kNotifyDelay;
            else
                return misuse(
                    "bad -N option value: \"never\", or \"success\", \"failure\" and \"delay\" "
                    "expected");
        }
        if ((bits & queue::kNotifyNever) != 0 && bits != queue::kNotifyNever)
            return misuse("-N: \"never\" goes with nothing else");
        o_.envelope.notify = static_cast<std::uint8_t>(bits);
        return {};
    }

    Result<void> mode(const std::string& value) {
        switch (value.empty() ? '?' : value[0]) {
            case 'd':
            case 'l': o_.mode = Mode::start; return {};
            case 'h':  // host status: Postfix has none either
            case 'H': return misuse("-bh and -bH are not supported");
            case 'i': o_.mode = Mode::new_aliases; return {};
            case 'm': o_.mode = Mode::submit; return {};
            case 'p': o_.mode = Mode::list_queue; return {};
            case 's': o_.mode = Mode::stand_alone; return {};
            case 'v':
                o_.mode = Mode::submit;
                o_.report = o_.verify_only = true;
                return {};
            default: return misuse(cat({"unsupported: -b", value}));
        }
    }

    Result<void> old_option(const std::string& value) {
        if (value == "i") o_.dot_ends = false;
        if (value.starts_with('A') && value.size() > 1) o_.argument = value.substr(1);
        return {};
    }

    Result<void> queue_run(const std::string& value) {
        if (value.empty() || is_digit(value[0])) {
            // "-q30m" beside -bd asks for a queue run now and then: the queue manager does that
            // anyway.
            if (o_.mode != Mode::start) o_.mode = Mode::flush_queue;
            return {};
        }
        o_.argument = value.substr(1);
        if (o_.argument.empty()) return misuse("-qI, -qR and -qS need a value");
        if (value[0] == 'I')
            o_.mode = Mode::flush_message;
        else if (value[0] == 'R' || value[0] == 'S')
            o_.mode = Mode::flush_site;
        else
            return misuse(cat({"unsupported: -q", value}));
        return {};
    }

    std::vector<std::string> arguments_;
    std::size_t at_ = 0;
    SendmailOptions o_;
};

}  // namespace

Result<SendmailOptions> parse_sendmail_options(std::vector<std::string> arguments) {
    return Parser(std::move(arguments)).run();
}

}  // namespace postern::commands
