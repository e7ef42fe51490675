// The arguments of a pipe service in master.cf: flags=DRhu user=vmail argv=/usr/bin/maildrop -d
// ${recipient}. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "lib/base/result.h"

namespace postern::pipe {

// flags=
struct Flags {
    bool blank_line = false;   // B: an empty line behind the message
    bool delivered = false;    // D: Delivered-To, and no loops
    bool from_line = false;    // F: a "From " line in front
    bool original = false;     // O: X-Original-To
    bool return_path = false;  // R: Return-Path
    bool final = false;        // X: the command delivers finally
    bool fold_host = false;    // h: domains in lower case
    bool quote = false;        // q: quoted local parts
    bool fold_user = false;    // u: local parts in lower case
    bool stuff_dots = false;   // .: a dot at the begin of a line is doubled
    bool quote_from = false;   // >: "From " at the begin of a line becomes ">From "
};

struct Attributes {
    Flags flags;
    std::string user, group;  // user=name[:group]
    std::string chroot, directory;
    std::string eol = "\n";
    std::string null_sender = "MAILER-DAEMON";
    std::uint64_t size = 0;  // of a message; 0: any
    std::vector<std::string> argv;
};

// `arguments` as master.cf has them, options of daemons (-o, -v) included, which are passed over.
// An Error names the word that is wrong.
Result<Attributes> parse_attributes(const std::vector<std::string>& arguments);

}  // namespace postern::pipe
