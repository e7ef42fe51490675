// What is wrong with smtpd's restriction lists, in main.cf and in the -o options of master.cf, all
// at once: unknown words, arguments that are missing, classes without definition, nothing that
// stops relaying. policy answers "451 Server configuration error" to what gets as far as such a
// place; "postern check" finds it first. Pure: tables are named, not opened.
#pragma once

#include <string>
#include <vector>

#include "lib/config/config.h"

namespace postern::config {

// A lookup table that a list names, and where: a Problem with the beginning of its text, for
// whoever finds that it cannot be opened.
struct UsedTable {
    std::string spec;
    Problem place;
};

struct RestrictionReport {
    std::vector<Problem> problems;
    std::vector<UsedTable> tables;
};

RestrictionReport examine_restrictions(const Snapshot& snapshot,
                                       const Host& host = SystemHost::instance());

}  // namespace postern::config
