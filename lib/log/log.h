// Logging: one call for a line, in the shape that Postfix's log tools know:
//   postfix/smtpd[123]: 4cXyz…: client=localhost[127.0.0.1]
// The first argument is the trace: the queue or session id whose story the line belongs to (or "").
// Fields are the same facts in structured form, for sinks that keep them. Values are cleaned of control
// characters here, once. One process has one log; open_*() in main decides where it goes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "lib/base/fd.h"

namespace postern::log {

enum class Level : unsigned char { debug, info, warning, error, fatal };

struct Field {
    std::string_view key;  // a literal
    std::string value;
};

inline Field kv(std::string_view key, std::string_view value) { return {key, std::string(value)}; }
inline Field kv(std::string_view key, std::int64_t value) { return {key, std::to_string(value)}; }

// Where lines go. Text sinks: "TAG[PID]: [TRACE: ][warning: ]TEXT".
struct Options {
    std::string tag = "postfix";    // "$syslog_name/$program"
    int syslog_facility = 2 << 3;   // LOG_MAIL
    bool debug = false;
    bool json = false;              // JSON lines instead of text (file and stderr sinks)
    bool internal_addresses = false;  // from=<a b@c> for from=<"a b"@c> (info_log_address_format)
};

void open_syslog(Options options);
void open_file(Options options, Fd file);  // append-only descriptor; lines begin with time and host as syslog's files do
void open_stderr(Options options);         // "TAG: TEXT" without time: commands on a terminal

// Every line about an id goes to this append-only file too, as a record (record.h), whatever the sink is.
void open_records(Fd file);

// For tests: lines are kept instead of written. take_captured() returns "LEVEL TRACE: TEXT" lines and clears them.
void open_capture(Options options = {});
std::string take_captured();

void set_debug(bool on);
bool debug_enabled();

void write(Level level, std::string_view trace, std::string_view text, std::initializer_list<Field> fields = {});

// Told to the records only: what mailtrace wants to know and no log tool expects. Nothing happens when
// no records are kept (records_kept()).
void story(std::string_view trace, std::string_view text, std::initializer_list<Field> fields = {});
bool records_kept();

inline void info(std::string_view trace, std::string_view text, std::initializer_list<Field> fields = {}) {
    write(Level::info, trace, text, fields);
}
inline void warning(std::string_view trace, std::string_view text, std::initializer_list<Field> fields = {}) {
    write(Level::warning, trace, text, fields);
}
inline void error(std::string_view trace, std::string_view text, std::initializer_list<Field> fields = {}) {
    write(Level::error, trace, text, fields);
}
inline void fatal(std::string_view trace, std::string_view text, std::initializer_list<Field> fields = {}) {
    write(Level::fatal, trace, text, fields);
}
inline void debug(std::string_view trace, std::string_view text, std::initializer_list<Field> fields = {}) {
    if (debug_enabled()) write(Level::debug, trace, text, fields);
}

}  // namespace postern::log
