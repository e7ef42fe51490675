#include "commands/value_check.h"

#include <algorithm>

#include "lib/base/strings.h"
#include "lib/config/value.h"
#include "lib/imap/mailbox_name.h"
#include "lib/mailbox/quota.h"
#include "lib/mailbox/store.h"
#include "lib/pop3/uidl.h"
#include "lib/sasl/mechanisms.h"
#include "lib/sasl/passwd_file.h"
#include "lib/sys/fs.h"
#include "lib/tls/context.h"

namespace postern::commands {
namespace {

// What is wrong; empty: nothing. The value is expanded, but for a template.
using Complaint = std::string;

bool is_directory(const std::string& path) {
    const auto info = sys::RealFs::instance().info(path + "/.");
    return info && info->kind == sys::FileInfo::Kind::directory;
}

Complaint wrong_rule(const std::string& value, const config::Settings&) {
    const auto limits = mailbox::parse_quota_rule(value);
    return limits ? "" : limits.error().what + "; there is no limit";
}

Complaint wrong_warnings(const std::string& value, const config::Settings&) {
    for (const std::string& word : config::split_list(value)) {
        const auto percent = parse_number<unsigned>(word);
        if (!percent || *percent == 0 || *percent > 100)
            return cat({"\"", word, "\" is not a number of per cent, 1 to 100"});
    }
    return "";
}

// Users must not share a mailbox because of a letter that was forgotten.
Complaint wrong_path(const std::string& value, const config::Settings&) {
    if (value.empty()) return "";
    const auto of = [&](std::string_view home, std::string_view user) {
        return sasl::expand_mailbox_path(
            value.starts_with("~/") ? "$home" + value.substr(1) : value, home, user);
    };
    const std::string path = of("/home/a", "a@a.example");
    const auto unknown = path.find_first_of("$%");
    if (unknown != path.npos)
        return cat({"\"", path.substr(unknown), "\": known are $home, $user, %h, %u, %n and %d"});
    if (!path.starts_with('/')) return "not an absolute path";
    return path == of("/home/b", "b@b.example") ? "the same for all users" : "";
}

// As imapd has it, which does not start with another one.
Complaint wrong_prefix(const std::string& value, const config::Settings&) {
    const bool good = std::all_of(value.begin(), value.end(), [](char c) {
        return c > ' ' && c < 0x7f && std::string_view("\"\\%*&").find(c) == std::string_view::npos;
    });
    return good ? "" : cat({"\"", printable(value, 100), "\" can begin no names of folders"});
}

Complaint wrong_trees(const std::string& value, const config::Settings&) {
    for (const std::string& word : config::split_list(value)) {
        const auto parts = split_once(word, '=');
        if (!parts || !parts->second.starts_with('/'))
            return cat({"\"", word, "\" is not of the form name=/path"});
        if (!is_directory(std::string(parts->second)))
            return cat({word, ": there is no such directory"});
    }
    return "";
}

Complaint wrong_dict(const std::string& value, const config::Settings&) {
    const std::string directory = value.substr(0, value.rfind('/') + 1);
    if (value.empty() || is_directory(directory)) return "";
    return cat({"there is no directory ", directory, ": what users share is not seen by others"});
}

Complaint wrong_folders(const std::string& value, const config::Settings& main) {
    const bool slash = main.expanded("mailbox_separator").value_or("") == "/";
    for (const std::string& word : config::split_list(value)) {
        std::string name = imap::encode_mailbox_name(word);
        for (char& c : name)
            if (slash && (c == '/' || c == '.')) c = c == '/' ? '.' : '/';
        const auto good = mailbox::Store::canonical(name);
        if (!good) return cat({"\"", word, "\": ", good.error().what});
    }
    return "";
}

Complaint wrong_mechanisms(const std::string& value, const config::Settings&) {
    std::vector<std::string> unknown;
    sasl::Mechanisms::parse(config::split_list(value), unknown);
    return unknown.empty()
               ? ""
               : cat({"no mechanism \"", printable(unknown.front(), 40), "\"; it is not offered"});
}

Complaint wrong_uidl_format(const std::string& value, const config::Settings&) {
    return pop3::format_uidl(value, 1, 1, "x")
               ? ""
               : cat({"\"", printable(value, 100), "\" is no format of unique ids"});
}

// Without them there is no TLS, or no mail where it is required.
Complaint wrong_protocols(const std::string& value, const config::Settings&) {
    const auto versions = tls::parse_versions(value);
    return versions ? "" : versions.error().what;
}

struct Question {
    std::string_view name;
    Complaint (*wrong)(const std::string&, const config::Settings&);
    bool stops = false;  // a program, or users' mail is not where it should be
};

constexpr Question kQuestions[] = {
    {"auth_mechanisms", wrong_mechanisms},
    {"mailbox_inbox_file", wrong_path, true},
    {"mailbox_initial_folders", wrong_folders},
    {"mailbox_path", wrong_path, true},
    {"mailbox_prefix", wrong_prefix, true},
    {"mailbox_public_folders", wrong_trees},
    {"mailbox_quota_rule", wrong_rule},
    {"mailbox_quota_warnings", wrong_warnings, true},
    {"mailbox_shared_dict", wrong_dict},
    {"pop3_uidl_format", wrong_uidl_format},
};

constexpr Question kProtocols{"", wrong_protocols, true};

const Question* question_about(std::string_view name) {
    if (name.ends_with("_tls_protocols") || name.ends_with("_tls_mandatory_protocols"))
        return &kProtocols;
    const auto* end = std::end(kQuestions);
    const auto* found =
        std::find_if(std::begin(kQuestions), end, [&](const auto& q) { return q.name == name; });
    return found == end ? nullptr : found;
}

}  // namespace

std::vector<config::Problem> value_problems(const config::Report& report,
                                              const config::Settings& main) {
    std::vector<config::Problem> problems;
    for (const config::SetParameter& set : report.set) {
        const Question* question = question_about(set.name);
        if (question == nullptr) continue;
        const bool option = !set.service.empty();
        const bool is_template = set.row != nullptr && set.row->type == config::Type::Template;
        const auto value = is_template ? set.value
                           : option    ? config::expand(set.value, main)
                                       : main.expanded(set.name);
        const Complaint wrong = value ? question->wrong(*value, main) : "";
        if (wrong.empty()) continue;
        problems.push_back({set.file, set.line, option ? set.service : set.name,
                            option ? cat({"-o ", set.name, ": ", wrong}) : wrong, question->stops});
    }
    return problems;
}

}  // namespace postern::commands
