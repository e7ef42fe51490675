// sendmail, mailq, newaliases: Postfix's and Sendmail's command for local programs. Submits
// standard input into maildrop/, or runs the command that lists the queue, flushes it or rebuilds
// the aliases.
#include <pwd.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "lib/base/strings.h"
#include "lib/config/config.h"
#include "lib/log/log.h"
#include "lib/queue/maildrop.h"
#include "lib/sys/error.h"

#include "commands/sendmail_message.h"
#include "commands/sendmail_options.h"
#include "commands/stand_alone.h"
#include "commands/submission.h"

namespace {

using postern::Errc;
using postern::Error;
using postern::Result;
using postern::commands::SendmailOptions;
using postern::commands::Submission;
using postern::commands::SubmitSettings;
using Mode = SendmailOptions::Mode;
namespace commands = postern::commands;

constexpr std::size_t kChunk = 64 << 10;
using Crs = commands::LineConverter::Crs;
constexpr std::size_t kMaxHeaderForRecipients = 4 << 20;

// Standard input as it comes, in wire form; the first part is kept while the header is looked at.
class Input {
  public:
    explicit Input(bool dot_ends, Crs crs = Crs::always)
        : converter_(dot_ends, crs), buffer_(kChunk, '\0') {}

    // The next bytes in wire form; empty at the end.
    Result<std::string> next() {
        std::string out;
        while (out.empty() && !at_end_) {
            const ssize_t n = ::read(STDIN_FILENO, buffer_.data(), buffer_.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) return postern::sys::system_error("read standard input");
            converter_.feed({buffer_.data(), static_cast<std::size_t>(n)}, out);
            at_end_ = n == 0 || converter_.ended();
            if (n == 0) converter_.finish(out);
        }
        return out;
    }

  private:
    commands::LineConverter converter_;
    std::string buffer_;
    bool at_end_ = false;
};

Error usage_error(std::string_view text) { return {Errc::invalid, std::string(text), EX_USAGE}; }

// The user who runs us, for a missing -f and -F.
void complete_sender(SendmailOptions& options) {
    const bool need_name = options.envelope.full_name.empty();
    if (need_name)
        if (const char* name = ::getenv("NAME")) options.envelope.full_name = name;
    if (options.sender_given && !options.envelope.full_name.empty()) return;
    const passwd* user = ::getpwuid(::getuid());
    if (!options.sender_given)
        options.envelope.sender = user != nullptr ? user->pw_name : std::to_string(::getuid());
    if (user != nullptr && options.envelope.full_name.empty()) {
        const std::string_view gecos = user->pw_gecos;
        options.envelope.full_name = gecos.substr(0, gecos.find(','));
    }
    options.envelope.full_name = postern::printable(options.envelope.full_name, 200);
}

Result<std::string> collect_recipients(SendmailOptions& options, Input& input) {
    std::vector<std::string> words = std::move(options.envelope.recipients);
    auto& recipients = options.envelope.recipients;
    recipients.clear();
    for (const std::string& word : words)
        for (std::string& address : commands::parse_recipients(word))
            recipients.push_back(std::move(address));
    std::string first;
    if (options.recipients_from_header) {
        while (!commands::has_whole_header(first) && first.size() < kMaxHeaderForRecipients) {
            TRY_ASSIGN(const std::string more, input.next());
            if (more.empty()) break;
            first += more;
        }
        // Nobody is left out in silence.
        if (first.size() >= kMaxHeaderForRecipients && !commands::has_whole_header(first))
            return usage_error("the message header is too long for the -t option");
        for (std::string& address : commands::header_recipients(first))
            recipients.push_back(std::move(address));
        if (recipients.empty())
            return usage_error("No recipient addresses found in message header");
    }
    if (recipients.empty())
        return usage_error(
            "Recipient addresses must be specified on the command line or via the -t option");
    return first;
}

// -XV: the sender of each copy will name its recipient.
Result<void> take_verp(SendmailOptions& options, const SubmitSettings& settings) {
    if (!options.verp) return {};
    const std::string& given = *options.verp;
    options.envelope.verp = given.empty() ? settings.verp_delimiters : given;
    const auto& verp = options.envelope.verp;
    if (verp.size() != 2 || verp.find_first_not_of(settings.verp_filter) != std::string::npos)
        return usage_error(
            postern::cat({"-XV requires two characters from ", settings.verp_filter}));
    if (options.envelope.sender.empty())
        return usage_error("-XV requires a sender that is not empty");
    return {};
}

Result<Crs> crs_of(const SubmitSettings& settings) {
    const auto& word = settings.fix_line_endings;
    if (postern::iequals(word, "always")) return Crs::always;
    if (postern::iequals(word, "strict")) return Crs::as_first;
    if (postern::iequals(word, "never")) return Crs::never;
    return Error{Errc::invalid, postern::cat({"sendmail_fix_line_endings = ", word,
                                              ": always, strict or never expected"})};
}

Result<void> submit(SendmailOptions options, const SubmitSettings& settings) {
    complete_sender(options);
    TRY(take_verp(options, settings));
    TRY_ASSIGN(const Crs crs, crs_of(settings));
    Input input(options.dot_ends, crs);
    TRY_ASSIGN(std::string part, collect_recipients(options, input));
    postern::queue::MaildropWriter writer;
    TRY_ASSIGN(const std::string head, writer.begin(options.envelope));
    TRY_ASSIGN(const auto submission, Submission::open(settings));
    std::string out = head;
    std::uint64_t size = 0;
    for (;;) {
        size += part.size();
        if (settings.message_size_limit != 0 && size > settings.message_size_limit)
            return Error{Errc::permanent,
                         postern::cat({options.envelope.sender, "(", std::to_string(::getuid()),
                                       "): message file too big"})};
        out += writer.content(part);
        TRY_ASSIGN(part, input.next());
        if (part.empty()) break;
        TRY(submission->write(out));
        out.clear();
    }
    out += writer.end();
    TRY(submission->write(out));
    return submission->commit();
}

// As Postfix: no text is read; the report goes to the sender.
Result<void> submit_probe(SendmailOptions options, const SubmitSettings& settings) {
    if (options.recipients_from_header) return usage_error("-t option cannot be used with -bv");
    complete_sender(options);
    Input input(true);
    TRY(collect_recipients(options, input));
    postern::queue::MaildropWriter writer;
    TRY_ASSIGN(std::string out, writer.begin(options.envelope));
    TRY_ASSIGN(const auto submission, Submission::open(settings));
    out += writer.content(postern::cat(
        {options.envelope.sender.empty() ? "" : "From: ", options.envelope.sender,
         options.envelope.sender.empty() ? "" : "\r\n",
         "Subject: probe\r\nTo: ", postern::join(options.envelope.recipients, ", "), "\r\n\r\n"}));
    out += writer.end();
    TRY(submission->write(out));
    TRY(submission->commit());
    return postern::sys::RealFs::instance().write(
        STDOUT_FILENO, postern::cat({"Mail Delivery Status Report will be mailed to <",
                                     options.envelope.sender, ">.\n"}));
}

Result<void> stand_alone(SendmailOptions options, const SubmitSettings& settings) {
    complete_sender(options);
    Input input(false);
    commands::StandAloneDoors doors;
    doors.read = [&input] { return input.next(); };
    doors.write = [](std::string_view text) {
        return postern::sys::RealFs::instance().write(STDOUT_FILENO, text);
    };
    doors.open = [&settings] { return Submission::open(settings); };
    commands::StandAlone session(settings.myhostname, settings.message_size_limit,
                                 std::move(options.envelope), std::move(doors));
    return session.run();
}

// Goes on as another command of ours, found where this configuration's commands are.
Error run(const SubmitSettings& settings, std::vector<std::string> words) {
    const std::string path = postern::cat({settings.command_directory, "/", words[0]});
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(path.c_str(), arguments.data());
    return postern::sys::system_error("execute " + path);
}

Error rebuild_aliases(const SubmitSettings& settings, const SendmailOptions& options) {
    std::vector<std::string> words = {"postalias"};
    const std::string& databases =
        options.argument.empty() ? settings.alias_database : options.argument;
    for (const std::string_view name : postern::split_words(databases, " \t\r\n,"))
        words.emplace_back(name);
    return run(settings, std::move(words));
}

Result<void> perform(SendmailOptions options) {
    std::optional<std::string> wish;
    if (!options.config_directory.empty()) {
        wish = options.config_directory;
        ::setenv("MAIL_CONFIG", options.config_directory.c_str(),
                 1);  // for the commands that we run
    }
    TRY_ASSIGN(const std::string directory, postern::config::choose_directory(std::move(wish)));
    TRY_ASSIGN(const SubmitSettings settings, SubmitSettings::read(directory));
    switch (options.mode) {
        case Mode::submit:
            options.envelope.report_all = options.report && !options.verify_only;
            options.envelope.probe = options.verify_only;
            if (options.verify_only) return submit_probe(std::move(options), settings);
            return submit(std::move(options), settings);
        case Mode::list_queue: return run(settings, {"postqueue", "-p"});
        case Mode::flush_queue: return run(settings, {"postqueue", "-f"});
        case Mode::flush_message: return run(settings, {"postqueue", "-i", options.argument});
        case Mode::flush_site: return run(settings, {"postqueue", "-s", options.argument});
        case Mode::new_aliases: return rebuild_aliases(settings, options);
        case Mode::start: return run(settings, {"postern", "start"});
        case Mode::stand_alone: return stand_alone(std::move(options), settings);
    }
    return {};
}

int fail(const Error& error) {
    postern::log::fatal("", error.what);
    return error.sys == EX_USAGE ? EX_USAGE : commands::exit_status(error);
}

}  // namespace

int main(int argc, char** argv) {
    static_cast<void>(::signal(SIGPIPE, SIG_IGN));
    postern::log::open_stderr({.tag = "sendmail"});
    auto options = commands::parse_sendmail_options({argv, argv + argc});
    if (!options)
        return options.error().code == Errc::invalid ? fail(usage_error(options.error().what))
                                                     : fail(options.error());
    const Result<void> done = perform(std::move(*options));
    return done ? EX_OK : fail(done.error());
}
