// Transcript: see transcript.h.
#include "smtpd/transcript.h"

#include <utility>

#include "lib/base/strings.h"

namespace postern::smtpd {
namespace {

constexpr std::size_t kMaxTranscript = 16 << 10;
constexpr std::size_t kMaxLine = 512;

// "5.7.1" behind the code, or "".
std::string_view status_of(std::string_view reply) {
    if (reply.size() < 9 || !is_digit(reply[4]) || reply[5] != '.') return {};
    return reply.substr(4, reply.find(' ', 4) - 4);
}

}  // namespace

Classes classes_in(const std::vector<std::string>& names) {
    static constexpr std::pair<std::string_view, Classes> kNames[] = {{"policy", kPolicy},
                                                                      {"protocol", kProtocol},
                                                                      {"resource", kResource},
                                                                      {"software", kSoftware},
                                                                      {"data", kData}};
    Classes classes = 0;
    for (const std::string& one : names) {
        for (const auto& [name, bit] : kNames)
            if (iequals(one, name)) classes = static_cast<Classes>(classes | bit);
    }
    return classes;
}

Classes class_of_reply(std::string_view reply, bool by_rule) {
    if (reply.size() < 4 || (reply[0] != '4' && reply[0] != '5')) return 0;
    const std::string_view status = status_of(reply);
    const std::string_view detail = status.empty() ? std::string_view() : status.substr(1);
    if (detail == ".3.5") return kSoftware;  // our configuration
    if (detail == ".3.4" || detail.starts_with(".6.") || reply.find("bare <") != reply.npos)
        return kData;
    if (detail.starts_with(".3.")) return kResource;
    return by_rule ? kPolicy : kProtocol;
}

void Transcript::add(std::string_view prefix, std::string_view line) {
    if (wanted_ == 0) return;
    ++lines_;
    text_ += cat({prefix, printable(line, kMaxLine), "\r\n"});
    if (text_.size() <= kMaxTranscript) return;
    text_.erase(0, text_.find('\n', kMaxTranscript / 2) + 1);
    cut_ = true;
}

void Transcript::clear() {
    text_.clear();
    lines_ = 0;
    seen_ = 0;
    cut_ = false;
}

void Transcript::in(std::string_view line) {
    // An initial response may follow AUTH and its mechanism (RFC 4954 4).
    if (!istarts_with(trim_left(line), "AUTH")) return add(" In:  ", line);
    const auto words = split_words(line, " \t");
    if (words.size() > 2) return add(" In:  ", cat({words[0], " ", words[1], " [not shown]"}));
    add(" In:  ", line);
}

void Transcript::in_secret() { add(" In:  ", "[not shown]"); }

void Transcript::out(std::string_view reply, bool by_rule) {
    if (wanted_ == 0) return;
    seen_ = static_cast<Classes>(seen_ | class_of_reply(reply, by_rule));
    for (const std::string_view line : split(trim_right(reply), '\n'))
        add(" Out: ", trim_right(line));
}

void Transcript::note(std::string_view what) { add(" ", what); }

std::string Transcript::letter(std::string_view mail_name, std::string_view to,
                               std::string_view client) const {
    std::string out =
        cat({"From: MAILER-DAEMON (Mail Delivery System)\r\nTo: ", to, "\r\nSubject: ", mail_name,
             " SMTP server: errors from ", client,
             "\r\nAuto-Submitted: auto-generated\r\n\r\nTranscript of session follows.\r\n\r\n"});
    if (cut_) out += " (what came before is left out)\r\n";
    out += cat({text_, "\r\n"});
    if (!aborted_.empty()) out += cat({"\r\nSession aborted, reason: ", aborted_, "\r\n"});
    return out + "\r\nFor other details, see the local mail logfile\r\n";
}

}  // namespace postern::smtpd
